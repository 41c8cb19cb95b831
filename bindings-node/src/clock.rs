//! The clock behind `ManualClock` of `clock.js`.

use napi::Result;
use napi_derive::napi;
use sublet::ArgumentFault;

use crate::errors::guarded;

/// A clock that stands until it is set.
#[napi]
pub struct NativeClock {
    pub(crate) inner: sublet::ManualClock,
}

#[napi]
impl NativeClock {
    #[napi(factory)]
    pub fn at(instant: String) -> Result<Self> {
        guarded(|| sublet::ManualClock::new(&instant).map(|inner| Self { inner }))
    }

    #[napi]
    pub fn set(&self, instant: String) -> Result<()> {
        guarded(|| self.inner.set(&instant))
    }

    #[napi]
    pub fn advance(&self, milliseconds: String) -> Result<()> {
        guarded(|| {
            let too_large = |_| ArgumentFault::LargeInteger.error("milliseconds", "");
            self.inner.advance(milliseconds.parse().map_err(too_large)?);
            Ok(())
        })
    }

    #[napi]
    pub fn now(&self) -> Result<String> {
        guarded(|| Ok(self.inner.now()))
    }
}
