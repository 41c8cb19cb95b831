//! A value of 16 bytes. Two values are equal exactly if Cedar's values are equal.

use std::net::IpAddr;

use super::arena::ConstructedValue;

/// A Cedar value whose parts are interned, or a marker for an absent value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Value {
    /// The entity does not exist, or the entity or record has no such attribute.
    Missing,
    /// Read through something that is missing, or through a value that has no attributes.
    Poison,
    Bool(bool),
    Long(i64),
    Text(u32),
    Entity(u32),
    Set(u32),
    /// A set of entities of one enumerated type, with one bit for each entity. Never empty. Such a
    /// set is never stored as a [`Value::Set`] too.
    Flags(u32, u64),
    Record(u32),
    /// In ten-thousandths.
    Decimal(i64),
    /// In milliseconds since 1970 UTC.
    Datetime(i64),
    /// In milliseconds.
    Duration(i64),
    Ip(u32),
}

impl Value {
    /// Returns the value, or `None` if reading it is an error.
    #[inline]
    pub(crate) fn ok(self) -> Option<Self> {
        match self {
            Self::Missing | Self::Poison => None,
            value => Some(value),
        }
    }

    /// Returns whether there is a value, or `None` if it was read through something missing.
    #[inline]
    pub(super) fn is_present(self) -> Option<bool> {
        match self {
            Self::Poison => None,
            value => Some(value != Self::Missing),
        }
    }

    #[inline]
    pub(crate) fn bool(self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(value),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn entity(self) -> Option<u32> {
        match self {
            Self::Entity(entity) => Some(entity),
            _ => None,
        }
    }
}

/// Position of the type in an entity number, for stores that number entities by type. The bits
/// below hold the entity's number within its type.
pub(crate) const KIND_SHIFT: u32 = 26;

/// The empty set.
pub(crate) const EMPTY: Value = Value::Set(0);

/// Returns the set of these entities of an enumerated type.
#[inline]
pub(crate) fn enum_set(kind: u32, bits: u64) -> Value {
    if bits == 0 {
        EMPTY
    } else {
        Value::Flags(kind, bits)
    }
}

/// Returns the type and the bit of an entity that fits into [`Value::Flags`].
pub(super) fn enum_bit(entity: u32) -> Option<(u32, u64)> {
    let bit = 1_u64.checked_shl(entity & 0x03FF_FFFF)?;
    Some((entity >> KIND_SHIFT, bit))
}

/// Returns the entities of a bit set.
pub(super) fn enum_set_items(kind: u32, bits: u64) -> impl Iterator<Item = u32> {
    (0..64_u32)
        .filter(move |place| bits.checked_shr(*place).unwrap_or(0) & 1 == 1)
        .map(move |place| kind << KIND_SHIFT | place)
}

/// A host attribute that is stored with a record and is not interned yet.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum StoredValue {
    Bool(bool),
    Long(i64),
    Text(Box<str>),
    Entity(Box<str>, Box<str>),
    Set(Vec<StoredValue>),
    Record(Vec<(Box<str>, StoredValue)>),
    Extension(ConstructedValue),
}

/// An IP address or range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Ip {
    pub(crate) address: IpAddr,
    pub(crate) prefix: u8,
}

impl Ip {
    /// Parses `address` or `address/prefix`, as Cedar prints them.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let Some((address, prefix)) = text.split_once('/') else {
            return text.parse().ok().map(Self::of_address);
        };
        Some(Self {
            address: address.parse().ok()?,
            prefix: prefix.parse().ok()?,
        })
    }

    /// Returns the range of one address.
    pub(crate) fn of_address(address: IpAddr) -> Self {
        let prefix = if address.is_ipv4() { 32 } else { 128 };
        Self { address, prefix }
    }

    pub(crate) fn is_loopback(self) -> bool {
        self.address.is_loopback() && self.prefix >= if self.address.is_ipv4() { 8 } else { 128 }
    }

    pub(crate) fn is_multicast(self) -> bool {
        self.address.is_multicast() && self.prefix >= if self.address.is_ipv4() { 4 } else { 8 }
    }

    /// Returns whether this range lies entirely inside the other.
    pub(crate) fn is_in_range(self, other: Self) -> bool {
        let (mine, others) = (self.ends(), other.ends());
        self.address.is_ipv4() == other.address.is_ipv4()
            && others.0 <= mine.0
            && mine.1 <= others.1
    }

    /// Returns the first and the last address of the range.
    fn ends(self) -> (u128, u128) {
        let (address, bits) = match self.address {
            IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
            IpAddr::V6(address) => (u128::from(address), 128_u32),
        };
        let fixed = 128_u32.saturating_sub(bits.saturating_sub(u32::from(self.prefix)));
        let host = u128::MAX.checked_shr(fixed).unwrap_or(0);
        (address & !host, address | host)
    }
}
