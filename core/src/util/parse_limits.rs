//! How large and how deep what is loaded may be.

/// Limits on texts and values, checked before anything recursive sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseLimits {
    /// Bytes of one policy, schema or catalog file.
    pub file_bytes: usize,
    /// Bytes of the entities of a plain Cedar program.
    pub entities_bytes: usize,
    /// Bytes of one record in an import.
    pub record_bytes: usize,
    /// Brackets inside brackets in policies and schemas.
    pub nesting: usize,
    /// Operators, accesses or prefixes in one chain.
    pub chain: usize,
    /// Depth of one expression's tree, which chains and brackets add up to.
    pub depth: usize,
    /// Lists and records inside each other in values: contexts, attributes, records.
    pub value_nesting: usize,
}

impl Default for ParseLimits {
    fn default() -> Self {
        Self {
            file_bytes: 4 * 1024 * 1024,
            entities_bytes: 1024 * 1024 * 1024,
            record_bytes: 1024 * 1024,
            nesting: 64,
            chain: 1_000,
            depth: 4_000,
            value_nesting: 64,
        }
    }
}
