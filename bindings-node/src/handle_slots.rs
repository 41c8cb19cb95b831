//! The handles that JavaScript has numbered. JavaScript assigns the numbers. This module does not
//! trust them: a number that names nothing is refused.

use std::sync::Arc;

use sublet::{Action, ArgumentFault, Error, Host, Principal, ResourceType};

/// The handle of a number. Stored inline and aligned to a cache line, because each request reads
/// three or four of them.
#[derive(Clone, Default)]
#[repr(align(64))]
pub(crate) enum HandleSlot {
    #[default]
    Empty,
    Principal(Principal),
    Action(Action),
    ResourceType(ResourceType),
    Host(Host),
}

/// Slots that are copied when one of them changes while another thread reads them.
const SLOTS_PER_CHUNK: usize = 64;

/// Slots by number; 0 is no slot. Shared with calls off the event loop; a chunk that changes during
/// such a call is copied.
#[derive(Clone, Default)]
pub(crate) struct HandleSlots(Arc<Vec<Arc<[HandleSlot; SLOTS_PER_CHUNK]>>>);

/// Limit on live handles and strings together, above the needs of a sensible program.
const MAX_SLOTS: usize = 1 << 24;

/// Returns the error of numbers in shared memory that `fast_call.js` never writes.
#[cold]
pub(crate) fn refused(reason: &str) -> Error {
    Error::Value {
        what: "handle".to_owned(),
        reason: reason.to_owned(),
    }
}

impl HandleSlots {
    pub(crate) fn put(&mut self, number: u32, slot: HandleSlot) -> Result<(), Error> {
        let at = number as usize;
        if at == 0 || at > MAX_SLOTS {
            return Err(ArgumentFault::TooManyHandles.error("handle", ""));
        }
        let chunks = Arc::make_mut(&mut self.0);
        while chunks.len() <= at / SLOTS_PER_CHUNK {
            chunks.push(Arc::new(std::array::from_fn(|_| HandleSlot::Empty)));
        }
        if let Some(current) = chunks
            .get_mut(at / SLOTS_PER_CHUNK)
            .and_then(|chunk| Arc::make_mut(chunk).get_mut(at % SLOTS_PER_CHUNK))
        {
            *current = slot;
        }
        Ok(())
    }

    #[inline]
    fn slot(&self, number: u32) -> &HandleSlot {
        let at = number as usize;
        self.0
            .get(at / SLOTS_PER_CHUNK)
            .and_then(|chunk| chunk.get(at % SLOTS_PER_CHUNK))
            .unwrap_or(&HandleSlot::Empty)
    }

    pub(crate) fn principal(&self, number: u32) -> Result<&Principal, &'static str> {
        if let HandleSlot::Principal(handle) = self.slot(number) {
            Ok(handle)
        } else {
            Err("no principal of that number")
        }
    }

    pub(crate) fn resource_type(&self, number: u32) -> Result<&ResourceType, &'static str> {
        if let HandleSlot::ResourceType(handle) = self.slot(number) {
            Ok(handle)
        } else {
            Err("no type of that number")
        }
    }

    pub(crate) fn action(&self, number: u32) -> Result<&Action, &'static str> {
        if let HandleSlot::Action(handle) = self.slot(number) {
            Ok(handle)
        } else {
            Err("no action of that number")
        }
    }

    pub(crate) fn host(&self, number: u32) -> Result<&Host, &'static str> {
        if let HandleSlot::Host(handle) = self.slot(number) {
            Ok(handle)
        } else {
            Err("no host of that number")
        }
    }
}
