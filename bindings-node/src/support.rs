//! Hooks of the tests and baselines of the benchmark, which no host calls.
//!
//! The hooks stay in the shipped addon, because the tests run the addon that is shipped. The
//! baselines need the feature `bench`, with which only `make bench` builds, into a file of its own.

use napi::Result;
use napi_derive::napi;

use crate::engine::NativeEngine;
use crate::errors::guarded;

#[napi]
impl NativeEngine {
    /// Panics inside the core, so that a test sees a panic become an error.
    #[napi]
    pub fn panic(&self) -> Result<()> {
        guarded(|| self.inner._panic())
    }
}

/// Native functions that take the arguments of `check` and do nothing: what a call costs alone.
#[cfg(feature = "bench")]
pub mod baseline {
    use std::ptr::null_mut;

    use napi::bindgen_prelude::{Env, JsObjectValue, Object, Unknown};
    use napi::{Result, sys};
    use napi_derive::napi;

    /// The arguments of `check` through napi's wrappers.
    #[napi]
    pub fn empty(
        principal: Unknown<'_>,
        action: Unknown<'_>,
        resource: Unknown<'_>,
        environment: Unknown<'_>,
    ) -> bool {
        let _ = (principal, action, resource, environment);
        false
    }

    /// The arguments of `check` with their strings.
    #[napi]
    pub fn empty_words(
        principal: (String, String),
        action: String,
        resource: (String, String, String),
        environment: Object<'_>,
    ) -> Result<bool> {
        let _ = (
            principal,
            action,
            resource,
            environment.get::<String>("host")?,
        );
        Ok(false)
    }

    /// Flat strings as arguments.
    #[napi]
    pub fn empty_flat(
        principal_type: String,
        principal: String,
        action: String,
        resource_type: String,
        resource: String,
        account: String,
        host: String,
    ) -> bool {
        let _ = (
            principal_type,
            principal,
            action,
            resource_type,
            resource,
            account,
            host,
        );
        false
    }

    extern "C" fn do_nothing(_: sys::napi_env, _: sys::napi_callback_info) -> sys::napi_value {
        null_mut()
    }

    /// Adds `emptyRaw`, the baseline without napi's wrappers, to the exports.
    #[napi(module_exports)]
    pub fn exports(mut exports: Object<'_>, env: Env) -> Result<()> {
        let raw = env.create_function::<(), Unknown<'_>>("empty", do_nothing)?;
        exports.set_named_property("emptyRaw", raw)
    }
}
