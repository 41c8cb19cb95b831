//! Names that are looked up once: a principal, an action, a resource type, a host. A handle
//! remembers the number that its name had in one numbering; another numbering (an import, another
//! engine) looks the name up anew. So handles outlive changes and reloads, work with any engine,
//! and never stand for anything but their name.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::model::reference::EntityRef;

/// A number, and the numbering that it is of.
#[derive(Debug, Default)]
pub(crate) struct CachedIndex(AtomicU64);

impl CachedIndex {
    /// The number in this numbering, from `find` where it is not known yet. What is not found is
    /// not remembered.
    #[inline(always)]
    pub(crate) fn get(&self, numbering: u32, find: impl FnOnce() -> Option<u32>) -> Option<u32> {
        let known = self.0.load(Ordering::Relaxed);
        #[allow(clippy::cast_possible_truncation, reason = "the halves are meant")]
        let (of, number) = ((known >> 32) as u32, known as u32);
        if of == numbering {
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
        // The place first: in a host's object it then stands beside the object's type, which is
        // looked at before.
        #[derive(Debug)]
        #[repr(C)]
        pub struct $name {
            pub(crate) place: CachedIndex,
            reference: EntityRef,
        }

        impl $name {
            /// A handle of that name; it is looked up at its first use.
            pub fn new($($argument: impl Into<$kind>),*) -> Self {
                Self { reference: $make($($argument.into()),*), place: CachedIndex::default() }
            }

            /// The name that it stands for.
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
    /// A login, or the account that a resource belongs to, looked up once.
    ///
    /// # Example: one login, many questions
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
    /// An action, looked up once. Its type is `Action`; in plain Cedar programs it may have a
    /// namespace.
    Action, |kind: String, id: String| EntityRef::new(kind, id), kind: String, id: String
}

handle! {
    /// A type of resource, looked up once.
    ResourceType, |kind: String| EntityRef::new(kind, String::new()), kind: String
}

handle! {
    /// A host name as an HTTP header says it, looked up once.
    Host, |name: String| EntityRef::new(String::new(), name), name: String
}

impl ResourceType {
    /// The type's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.reference.kind()
    }
}

impl Host {
    /// The name as it was given.
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
