//! The questions with handles: each name is looked up once.

use std::collections::HashMap;

use sublet::{Action, Host, Principal, RequestRef, ResourceType};

use crate::agency::Question;

/// The handles of all words in the questions, and for each question which.
#[derive(Debug, Default)]
pub(crate) struct Handles {
    principals: Vec<Principal>,
    actions: Vec<Action>,
    types: Vec<ResourceType>,
    hosts: Vec<Host>,
    /// The numbers of each request: principal, action, type, account, host.
    of: Vec<[u32; 5]>,
}

const NONE: u32 = u32::MAX;

fn place<T>(
    known: &mut HashMap<String, u32>,
    list: &mut Vec<T>,
    key: String,
    make: impl FnOnce() -> T,
) -> u32 {
    *known.entry(key).or_insert_with(|| {
        list.push(make());
        u32::try_from(list.len() - 1).unwrap_or(NONE)
    })
}

impl Handles {
    /// Returns the handles of these questions.
    pub(crate) fn new(questions: &[Question]) -> Self {
        let mut made = Self::default();
        let known = &mut <[HashMap<String, u32>; 4]>::default();
        for question in questions {
            let asked = question.asked();
            let [principals, actions, types, hosts] = known;
            let mut principal = |(kind, id): (&str, &str)| {
                place(
                    principals,
                    &mut made.principals,
                    format!("{kind}/{id}"),
                    || Principal::new(kind, id),
                )
            };
            let of = [
                principal(asked.principal),
                place(actions, &mut made.actions, asked.action.to_owned(), || {
                    Action::new("Action", asked.action)
                }),
                place(types, &mut made.types, asked.resource.0.to_owned(), || {
                    ResourceType::new(asked.resource.0)
                }),
                asked
                    .account
                    .map_or(NONE, |account| principal(("Account", account))),
                asked.host.map_or(NONE, |host| {
                    place(hosts, &mut made.hosts, host.to_owned(), || Host::new(host))
                }),
            ];
            made.of.push(of);
        }
        made
    }

    /// Returns the request of that place, which has this question.
    #[inline]
    pub(crate) fn request<'a>(&'a self, at: usize, question: &'a Question) -> RequestRef<'a> {
        let [principal, action, kind, account, host] = self.of[at];
        let mut request = RequestRef::new(
            &self.principals[principal as usize],
            &self.actions[action as usize],
            (&self.types[kind as usize], question.resource.1.as_str()),
        );
        if host != NONE {
            request = request.host(&self.hosts[host as usize]);
        }
        if account != NONE {
            request = request.account(&self.principals[account as usize]);
        }
        if let Some(details) = question.details.as_deref() {
            details.add_to(&mut request);
        }
        request
    }
}
