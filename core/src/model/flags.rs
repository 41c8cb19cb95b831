//! The boolean attributes of records that policies read. A row of the directory holds one bit for
//! each, in the order of this file.

/// Declares the boolean attributes of a record type. A field's name is the attribute's name in the
/// schema.
macro_rules! flags {
    ($($(#[$about:meta])* $name:ident { $($field:ident),* })*) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub(crate) struct $name {
            $(pub(crate) $field: bool),*
        }

        impl $name {
            pub(crate) const NAMES: &[&str] = &[$(stringify!($field)),*];

            /// Returns one bit for each attribute.
            pub(crate) fn bits(self) -> u16 {
                [$(self.$field),*]
                    .into_iter()
                    .rev()
                    .fold(0, |bits, flag| bits << 1 | u16::from(flag))
            }

            /// Returns the attributes of these bits.
            pub(crate) fn from_bits(bits: u16) -> Self {
                let mut rest = bits;
                let mut next = || {
                    let flag = rest & 1 == 1;
                    rest >>= 1;
                    flag
                };
                Self { $($field: next()),* }
            }
        }
    )*};
}

flags! {
    /// `confirmed`: the e-mail is confirmed (C4). `erased`: the personal data was erased (C14).
    AccountFlags { confirmed, closed, erased }
    /// `confirmed`: the invitation was accepted (M8). `service`: a login for programs (I7).
    MemberFlags { confirmed, service }
    /// `whitelabel`: the right to have client accounts and own domains. `self_service`: an account
    /// may choose the package itself (B13).
    PackageFlags { whitelabel, self_service }
}

/// The names of all boolean attributes, each once.
pub(crate) const NAMES: [&str; 6] = [
    "confirmed",
    "closed",
    "erased",
    "service",
    "whitelabel",
    "self_service",
];

#[cfg(test)]
mod tests {
    use super::{AccountFlags, MemberFlags, NAMES, PackageFlags};

    #[test]
    fn names_list_every_flag_once() {
        let all = [AccountFlags::NAMES, MemberFlags::NAMES, PackageFlags::NAMES].concat();
        for (at, name) in NAMES.iter().enumerate() {
            assert!(all.contains(name) && NAMES.iter().skip(at + 1).all(|other| other != name));
        }
        assert!(all.iter().all(|name| NAMES.contains(name)));
    }

    #[test]
    fn bits_of_flags_read_back() {
        for bits in 0..8 {
            assert_eq!(AccountFlags::from_bits(bits).bits(), bits);
        }
        let closed = AccountFlags {
            closed: true,
            ..AccountFlags::default()
        };
        assert_eq!(
            (closed.bits(), AccountFlags::NAMES),
            (2, &["confirmed", "closed", "erased"][..])
        );
    }
}
