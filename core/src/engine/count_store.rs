//! The methods about the store of counts: its verification, its clock, and whether a method may
//! wait for a file.

use super::Engine;
use crate::store::Verification;
use crate::util::error::Error;
use crate::util::panic::catch_panic;

impl Engine {
    /// Compares every bucket with the sum of its operations.
    ///
    /// # Errors
    /// Fails with the codes of the store.
    pub fn verify(&self) -> Result<Verification, Error> {
        catch_panic(|| self.current.load().store.verify())
    }

    /// Returns whether the methods that count may wait for a file. Hosts with an event loop then
    /// await them.
    #[must_use]
    pub fn is_file_backed(&self) -> bool {
        self.current.load().store.touches_files()
    }

    /// Returns whether this engine has read the latest version of the directory. A request is then
    /// decided at once, without reading changes of other processes.
    #[doc(hidden)]
    #[must_use]
    pub fn _is_current(&self) -> bool {
        self.current.load().is_current()
    }

    /// Checks that a method may run while an event loop waits, for bindings that have one.
    ///
    /// # Errors
    /// Fails with [`Error::StoreSync`] if the method may wait for a file.
    #[doc(hidden)]
    pub fn refuse_if_blocking(&self, verb: &str) -> Result<(), Error> {
        let state = self.current.load();
        let store = || state.store.name().to_owned();
        if state.store.touches_files() {
            Err(Error::StoreSync {
                store: store(),
                verb: verb.to_owned(),
            })
        } else {
            Ok(())
        }
    }

    /// Accepts the present clock after `store.clock_jump`, although a long time has passed.
    ///
    /// # Errors
    /// Fails with the codes of the store.
    pub fn accept_clock(&self) -> Result<(), Error> {
        catch_panic(|| self.current.load().store.accept_clock())
    }

    /// Removes every count, every key and the high-water mark of a store in memory, for tests,
    /// between two cases. A [`ManualClock`](crate::ManualClock) may go back after it.
    ///
    /// # Errors
    /// Fails with the codes of the store.
    pub fn reset_counts(&self) -> Result<(), Error> {
        catch_panic(|| self.current.load().store.clear())
    }
}
