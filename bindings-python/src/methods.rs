//! Macros for the methods that take a request or many. The keyword arguments that these methods
//! share stand here once.

/// Writes a `#[pymethods]` block whose methods end with the keyword arguments of the environment.
///
/// ```text
/// fn reserve(
///     &self, py, principal, action, resource, amount, *, [ttl], ..environment
/// ) -> PyResult<Decision> { ... }
/// ```
///
/// An argument in brackets may be omitted. In the body a required argument is a `PyArg`, an
/// optional one an `OptionalPyArg`, and `environment` the `EnvironmentArgs`. The macro writes whole
/// signatures: Python shows every argument, and no call builds a `dict` of keyword arguments.
/// `host` is the first of the environment, because almost every call passes it and pyo3 compares
/// the names of keyword arguments in this order.
macro_rules! request_methods {
    (#[pymethods] impl $class:ident { $(
        $(#$attribute:tt)*
        fn $name:ident(
            &$self:ident, $py:ident $(, $required:ident)+ $(, [$optional:ident])?, *,
            $([$keyword:ident],)* $($flag:ident: bool = false,)? ..$environment:ident
        ) -> $result:ty $body:block
    )+ }) => {
        #[pymethods]
        impl $class { $(
            $(#$attribute)*
            #[pyo3(signature = (
                $($required,)+ $($optional=None,)? *, $($keyword=None,)* $($flag=false,)?
                host=None, actor=None, channel=None, realm=None, session_start=None,
                context=None
            ))]
            #[allow(clippy::too_many_arguments, reason = "keyword arguments of Python")]
            fn $name(
                &$self,
                $py: Python<'_>,
                $($required: &Bound<'_, PyAny>,)+
                $($optional: $crate::convert::OptionalPyArg<'_, '_>,)?
                $($keyword: $crate::convert::OptionalPyArg<'_, '_>,)*
                $(#[pyo3(from_py_with = $crate::arguments::$flag)] $flag: bool,)?
                host: $crate::convert::OptionalPyArg<'_, '_>,
                actor: $crate::convert::OptionalPyArg<'_, '_>,
                channel: $crate::convert::OptionalPyArg<'_, '_>,
                realm: $crate::convert::OptionalPyArg<'_, '_>,
                session_start: $crate::convert::OptionalPyArg<'_, '_>,
                context: $crate::convert::OptionalPyArg<'_, '_>,
            ) -> $result {
                $(let $required = $required.as_borrowed();)+
                let $environment = $crate::request::environment_args(
                    host,
                    actor,
                    channel,
                    realm,
                    session_start,
                    context,
                );
                $body
            }
        )+ }
    };
}

/// Writes a `#[pymethods]` block whose methods take a list of requests, or columns. In the body
/// `requests` is a `BatchRequests`.
macro_rules! batch_methods {
    (#[pymethods] impl $class:ident { $(
        $(#$attribute:tt)*
        fn $name:ident(&$self:ident, $py:ident, ..$requests:ident) -> $result:ty $body:block
    )+ }) => {
        #[pymethods]
        impl $class { $(
            $(#$attribute)*
            #[pyo3(signature = (
                requests=None, *, principals=None, actions=None, resources=None, actors=None,
                hosts=None, channels=None, realms=None, session_starts=None, amounts=None,
                contexts=None
            ))]
            #[allow(clippy::too_many_arguments, reason = "keyword arguments of Python")]
            fn $name<'py>(
                &$self,
                $py: Python<'py>,
                requests: $crate::convert::OptionalPyArg<'_, 'py>,
                principals: $crate::convert::OptionalPyArg<'_, 'py>,
                actions: $crate::convert::OptionalPyArg<'_, 'py>,
                resources: $crate::convert::OptionalPyArg<'_, 'py>,
                actors: $crate::convert::OptionalPyArg<'_, 'py>,
                hosts: $crate::convert::OptionalPyArg<'_, 'py>,
                channels: $crate::convert::OptionalPyArg<'_, 'py>,
                realms: $crate::convert::OptionalPyArg<'_, 'py>,
                session_starts: $crate::convert::OptionalPyArg<'_, 'py>,
                amounts: $crate::convert::OptionalPyArg<'_, 'py>,
                contexts: $crate::convert::OptionalPyArg<'_, 'py>,
            ) -> $result {
                let columns = $crate::batch::ColumnArgs {
                    principal: principals,
                    action: actions,
                    resource: resources,
                    actor: actors,
                    host: hosts,
                    channel: channels,
                    realm: realms,
                    session_start: session_starts,
                    amount: amounts,
                    context: contexts,
                };
                let $requests = $crate::batch::BatchRequests::new($py, requests, &columns)?;
                $body
            }
        )+ }
    };
}

pub(crate) use {batch_methods, request_methods};
