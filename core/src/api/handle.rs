//! Handles: names that are looked up once, of a principal, an action, a resource type or a host.
//!
//! A handle caches the number that its name has in one generation of the rows. In another
//! generation (after an import, or in another engine), the name is looked up again. So handles
//! outlive changes and reloads, work with any engine, and always stand for their name.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::model::reference::EntityRef;

/// A cached number, with the generation in which it is valid.
#[derive(Debug, Default)]
pub(crate) struct CachedIndex(AtomicU64);

impl CachedIndex {
    /// Returns the number in this generation. Calls `find` if the number is not cached. A name that
    /// is not found is not cached.
    #[inline(always)]
    pub(crate) fn get(&self, numbering: u32, find: impl FnOnce() -> Option<u32>) -> Option<u32> {
        let known = self.0.load(Ordering::Relaxed);
        #[allow(clippy::cast_possible_truncation, reason = "the halves are meant")]
        let (generation, number) = ((known >> 32) as u32, known as u32);
        if generation == numbering {
            Some(number)
        } else {
            self.look_up_and_cache(numbering, find)
        }
    }

    #[cold]
    #[inline(never)]
    fn look_up_and_cache(&self, numbering: u32, find: impl FnOnce() -> Option<u32>) -> Option<u32> {
        let number = find()?;
        self.0.store(
            u64::from(numbering) << 32 | u64::from(number),
            Ordering::Relaxed,
        );
        Some(number)
    }
}

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident, $make:expr, $($argument:ident: $kind:ty),*) => {
        $(#[$doc])*
        // The place is the first field. In a host's object it then lies beside the object's type,
        // which is read before it.
        #[derive(Debug)]
        #[repr(C)]
        pub struct $name {
            pub(crate) place: CachedIndex,
            reference: EntityRef,
        }

        impl $name {
            /// Creates a handle of this name. The name is looked up at its first use.
            pub fn new($($argument: impl Into<$kind>),*) -> Self {
                Self { reference: $make($($argument.into()),*), place: CachedIndex::default() }
            }

            /// Returns the name that the handle stands for.
            #[must_use]
            pub fn reference(&self) -> &EntityRef {
                &self.reference
            }
        }

        impl Clone for $name {
            fn clone(&self) -> Self {
                Self { reference: self.reference.clone(), place: CachedIndex::default() }
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.reference == other.reference
            }
        }

        impl Eq for $name {}
    };
}

handle! {
    /// A handle of a login, or of the account that a resource belongs to.
    ///
    /// # Example: one login, many requests
    /// ```
    /// use sublet::{Engine, Options, Principal, RequestRef};
    /// let engine = Engine::open(Options::default())?;
    /// let bakery = Principal::new("Account", "bakery");
    /// assert!(!engine.check(RequestRef::new(&bakery, "campaign.read", ("Campaign", "spring")))?);
    /// # Ok::<(), sublet::Error>(())
    /// ```
    Principal, |kind: String, id: String| EntityRef::new(kind, id), kind: String, id: String
}

handle! {
    /// A handle of an action. Its type is `Action`. In plain Cedar programs the type may have a
    /// namespace.
    Action, |kind: String, id: String| EntityRef::new(kind, id), kind: String, id: String
}

handle! {
    /// A handle of a resource type.
    ResourceType, |kind: String| EntityRef::new(kind, String::new()), kind: String
}

handle! {
    /// A handle of a host name, written as in an HTTP header.
    Host, |name: String| EntityRef::new(String::new(), name), name: String
}

impl ResourceType {
    /// Returns the name of the type.
    #[must_use]
    pub fn name(&self) -> &str {
        self.reference.kind()
    }
}

impl Host {
    /// Returns the name as it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        self.reference.id()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::util::generation::numbering;

    /// A missing name is looked up again.
    #[test]
    fn index_is_looked_up_once_per_numbering() {
        let place = CachedIndex::default();
        let (one, two) = (numbering(), numbering());
        assert_ne!(one, two);
        assert_eq!(place.get(one, || None), None);
        assert_eq!(place.get(one, || Some(7)), Some(7));
        assert_eq!(place.get(one, || None), Some(7));
        assert_eq!(place.get(two, || Some(9)), Some(9));
        assert_eq!(place.get(one, || Some(7)), Some(7));
    }
}
