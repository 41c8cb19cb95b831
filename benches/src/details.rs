//! The details of a request beyond its login, its action, its resource and its host.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use sublet::{Environment, RequestRef, Resource};

static JOB: LazyLock<Arc<Environment>> = LazyLock::new(|| {
    Arc::new(Environment {
        channel: Some("job".to_owned()),
        ..Environment::default()
    })
});

/// The engine takes the details in Cedar's JSON form. Rules by hand take them as the typed values
/// that a host has anyway.
#[derive(Debug, Clone, Default)]
pub struct Details {
    /// The channel and the context fields. All jobs have one, as in a host that sets it up once.
    pub environment: Option<Arc<Environment>>,
    /// The attributes and tags of the resource. Its type and id are ignored.
    pub resource: Option<Resource>,
    /// Whether a background job asks.
    pub job: bool,
    /// The instant of the request, in milliseconds since 1970.
    pub now: Option<i64>,
    /// Where the request comes from.
    pub ip: Option<IpAddr>,
    pub second_factor: Option<bool>,
    /// The tag `stage` of a campaign.
    pub stage: Option<&'static str>,
    /// The name of a file.
    pub name: Option<String>,
}

impl Details {
    /// Adds the details to a request.
    #[inline]
    pub fn add_to<'a>(&'a self, request: &mut RequestRef<'a>) {
        request.environment = self.environment.as_deref();
        request.resource.more = self.resource.as_ref();
    }

    /// Makes it a request of a background job.
    pub fn ask_as_job(&mut self) {
        self.job = true;
        match &mut self.environment {
            Some(environment) => Arc::make_mut(environment).channel = Some("job".to_owned()),
            None => self.environment = Some(Arc::clone(&JOB)),
        }
    }

    /// Adds a context field.
    pub fn add_context(&mut self, name: &str, value: impl Into<serde_json::Value>) {
        let environment = Arc::make_mut(self.environment.get_or_insert_default());
        environment.context.insert(name.to_owned(), value.into());
    }

    /// Returns the resource, to add attributes and tags.
    pub fn more(&mut self) -> &mut Resource {
        self.resource.get_or_insert_with(|| Resource::new("", ""))
    }
}
