//! What a request says beyond its login, its action, its resource and its host.

use std::net::IpAddr;

use sublet::{Environment, RequestRef, Resource};

/// The engine takes the details in Cedar's JSON form. Rules by hand take them as the typed values
/// that a host has anyway.
#[derive(Debug, Clone, Default)]
pub struct Details {
    /// The channel and the context fields.
    pub environment: Option<Environment>,
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
        request.environment = self.environment.as_ref();
        request.resource.more = self.resource.as_ref();
    }

    /// Makes it a request of a background job.
    pub fn ask_as_job(&mut self) {
        self.job = true;
        self.environment.get_or_insert_default().channel = Some("job".to_owned());
    }

    /// Adds a context field.
    pub fn add_context(&mut self, name: &str, value: impl Into<serde_json::Value>) {
        let environment = self.environment.get_or_insert_default();
        environment.context.insert(name.to_owned(), value.into());
    }

    /// Returns the resource, to add attributes and tags.
    pub fn more(&mut self) -> &mut Resource {
        self.resource.get_or_insert_with(|| Resource::new("", ""))
    }
}
