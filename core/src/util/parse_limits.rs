//! Limits on the size and depth of loaded input.

/// Maximum nesting of lists and records in the values of a request.
pub const MAX_VALUE_NESTING: usize = 64;

/// Limits on texts and values, checked before any recursive code sees them.
///
/// # Example: smaller policy files
/// ```
/// let limits = sublet::ParseLimits { file_bytes: 64 * 1024, ..sublet::ParseLimits::default() };
/// assert_eq!((limits.file_bytes, limits.nesting), (65_536, 64));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseLimits {
    /// Maximum bytes of one policy, schema or catalog file.
    pub file_bytes: usize,
    /// Maximum bytes of the entities of a plain Cedar program.
    pub entities_bytes: usize,
    /// Maximum bytes of one record in an import.
    pub record_bytes: usize,
    /// Maximum nesting of brackets in policies and schemas.
    pub nesting: usize,
    /// Maximum number of operators, accesses or prefixes in one chain.
    pub chain: usize,
    /// Maximum depth of one expression's tree. Chains and brackets add up to it.
    pub depth: usize,
    /// Maximum nesting of lists and records in values: contexts, attributes, records.
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
            value_nesting: MAX_VALUE_NESTING,
        }
    }
}
