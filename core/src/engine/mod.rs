//! The handle: one method per question, snapshots swapped atomically.
//!
//! Readers take one [`State`] and never wait; writers take turns. A forked child that inherits a lock held by a thread
//! it does not have makes itself a new one.

mod authorize;
mod billing;
mod cached_grant;
mod commands;
mod directory;
mod event_fields;
#[cfg(test)]
mod fast_path_tests;
mod login;
mod observe;
mod options;
mod permitted_actions;
mod quota;
mod quota_request;
mod snapshot;
mod sync;
mod tickets;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use self::commands::Performed;
pub use self::options::Options;
use self::snapshot::Versions;
use self::sync::Watch;
use crate::api::decision::{BundleInfo, PolicyInfo};
use crate::authorize::{Fast, Kind, Loaded, load};
use crate::cedar::bundle::Bundle;
use crate::cedar::options::Validation;
use crate::cedar::policy_list::Rules;
use crate::cedar::source::{Source, placeless};
use crate::directory::Directory;
use crate::model::answer_code::AnswerCode;
use crate::model::catalog::Catalog;
use crate::store::{self, Store};
use crate::telemetry::Hub;
use crate::util::error::{Error, Faults};
use crate::util::fork_safe_mutex::Turn;
use crate::util::panic::catch_panic;
use crate::util::parse_limits::Caps;

/// One consistent version of everything an answer depends on (E3).
#[derive(Debug)]
struct State {
    /// Told apart from every other version of the process.
    stamp: u64,
    loaded: Arc<Loaded>,
    /// What was loaded, compiled for this directory's numbers.
    fast: Arc<Fast>,
    directory: Directory,
    /// Where counts are kept: the same in every version.
    store: Arc<dyn Store>,
    /// Whether other processes have changed the directory since, where they can.
    watch: Option<Watch>,
}

/// A policy engine inside the host's process. Cheap to share: all methods take `&self`.
///
/// # Example: the shipped rules, and a directory of one
/// ```
/// use sublet::{Engine, Options, Request};
/// let engine = Engine::open(Options::default())?;
/// engine.import(&br#"{"type":"Platform","id":"mmio"}"#[..], None, None)?;
/// let decision = engine.authorize(&Request::new(("Account", "nobody"), "campaign.read", ("Account", "nobody")))?;
/// assert!(!decision.allowed);
/// # Ok::<(), sublet::Error>(())
/// ```
#[derive(Debug)]
pub struct Engine {
    /// Who wants to know what happens. First, for each verb looks at it.
    hub: Hub,
    state: Versions,
    /// Taken by whoever changes directory or policies.
    turn: Turn,
    /// Taken by whoever follows the changes of other processes.
    following: Turn,
    caps: Caps,
    validation: Validation,
}

impl Engine {
    /// Loads the policies, whole or not at all, and the directory that the store keeps; in memory it starts empty.
    ///
    /// # Errors
    /// [`Error::Bundle`] with every fault of the first stage of loading that failed; [`Error::Store`] for a store that
    /// this version does not have; the `store.*` codes for one that cannot be opened.
    pub fn open(options: Options) -> Result<Self, Error> {
        catch_panic(|| {
            let loaded = load(&options.policies, options.validation, &options.caps)?;
            let hub = Hub::new(options.clock.clone());
            let store: Arc<dyn Store> = match options.store.split_once(':') {
                Some(("memory", "")) => Arc::new(store::Memory::new(options.clock)),
                Some(("sqlite", _)) => {
                    Arc::new(store::Sqlite::open(&options.store, options.clock)?)
                }
                _ => {
                    return Err(Error::Store {
                        store: crate::util::text::short(&options.store),
                    });
                }
            };
            let state = State::new(
                Arc::new(loaded),
                Directory::default(),
                (&Catalog::default(), false),
                &store,
            )?
            .first()?;
            Ok(Self {
                hub,
                state: Versions::new(state),
                turn: Turn::default(),
                following: Turn::default(),
                caps: options.caps,
                validation: options.validation,
            })
        })
    }

    /// Swaps the policies, whole or not at all (E4): on an error the old ones stay in force. Gives the new fingerprint.
    ///
    /// # Errors
    /// As [`Engine::open`]; `bundle.in_use` if the directory names what the new bundle no longer declares.
    pub fn reload(&self, source: &Source) -> Result<Arc<str>, Error> {
        let swapped = catch_panic(|| {
            let loaded = load(source, self.validation, &self.caps)?;
            let fingerprint = Arc::clone(&loaded.fingerprint);
            let loaded = Arc::new(loaded);
            self.take_turn(|| {
                loop {
                    let _ = self.current()?;
                    let now = self.state.load_full();
                    let next = now.with(Arc::clone(&loaded), now.directory.clone(), &now.loaded)?;
                    // A change of another process may have been followed meanwhile.
                    if self.state.replace(&now, Arc::new(next)) {
                        return Ok((Arc::clone(&now.loaded.fingerprint), fingerprint));
                    }
                }
            })
        });
        let (replaced, fingerprint) = self.noted("reload", swapped)?;
        self.reloaded(&replaced, &fingerprint);
        Ok(fingerprint)
    }

    /// What is loaded.
    #[must_use]
    pub fn bundle(&self) -> BundleInfo {
        let state = self.state.load();
        let rules = state.loaded.rules();
        let policies = rules.list.iter().map(|rule| PolicyInfo {
            id: Arc::clone(&rule.id),
            effect: rule.role.as_str(),
            code: rule.code.clone(),
            place: rule.place.clone(),
        });
        let (tenancy, actions, features, warnings) = match &state.loaded.kind {
            Kind::Tenancy(bundle) => (
                true,
                bundle.action_names(),
                bundle.features_in_words(),
                bundle.warnings.clone(),
            ),
            Kind::Plain(plain) => (false, plain.action_names(), Vec::new(), Vec::new()),
        };
        BundleInfo {
            fingerprint: Arc::clone(&state.loaded.fingerprint),
            tenancy,
            policies: policies.collect(),
            actions,
            features,
            codes: codes(rules, tenancy),
            warnings,
            fallback: state.fast.fallback(&state.loaded),
        }
    }

    /// The revision of the directory; it grows by one with each transaction, of whichever process. Where the store cannot be
    /// read it is the last that this process knows.
    #[must_use]
    pub fn revision(&self) -> u64 {
        catch_panic(|| Ok(self.current()?.directory.revision()))
            .unwrap_or_else(|_| self.state.load().directory.revision())
    }

    /// Panics inside the engine, for tests of what a host sees then. Does nothing but answer `Ok` unless the environment
    /// variable `SUBLET_ALLOW_PANIC` is `1`.
    ///
    /// # Errors
    /// [`Error::Panic`], when allowed.
    #[doc(hidden)]
    pub fn _panic(&self) -> Result<(), Error> {
        catch_panic(|| {
            let provoked = std::env::var("SUBLET_ALLOW_PANIC").is_ok_and(|value| value == "1");
            assert!(!provoked, "provoked");
            Ok(())
        })
    }
}

impl Engine {
    /// Makes this process die at a step of its next transaction (`begun`, `worked`, `committed`), for tests of what others
    /// see then. Does nothing unless the environment variable `SUBLET_ALLOW_CRASH` is `1`.
    #[doc(hidden)]
    pub fn _crash_at(&self, point: &str) {
        crate::util::fault_injection::plan(point);
    }
}

/// Whether a process that opens with the new bundle takes the directory. Walks it only if the new bundle lacks something, or
/// has something else under the same name.
fn check_in_use(directory: &Directory, bundle: &Bundle, before: &Bundle) -> Result<(), Error> {
    if bundle.offers_all_of(before) {
        return Ok(());
    }
    let reasons = directory.misfits(&bundle.catalog, &before.catalog, bundle);
    Faults::into_result(
        reasons
            .into_iter()
            .map(|reason| placeless("bundle.in_use", reason))
            .collect(),
    )
}

/// Every code and word of advice that an answer can have.
fn codes(rules: &Rules, tenancy: bool) -> Vec<Arc<str>> {
    let own: &[AnswerCode] = if tenancy {
        &AnswerCode::TENANCY
    } else {
        &AnswerCode::PLAIN
    };
    let of_rules = rules
        .list
        .iter()
        .flat_map(|rule| rule.code.iter().chain(&rule.advice));
    let mut codes: Vec<Arc<str>> = own
        .iter()
        .map(|code| (*code).into())
        .chain(of_rules.cloned())
        .collect();
    codes.sort();
    codes.dedup();
    codes
}

/// The next version's.
fn stamp() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl State {
    /// What was loaded, for a directory that was read with another catalog until now.
    /// Their types are asked `anew` if the schema says other things of them.
    fn new(
        loaded: Arc<Loaded>,
        directory: Directory,
        (old, anew): (&Catalog, bool),
        store: &Arc<dyn Store>,
    ) -> Result<Self, Error> {
        let mut directory = match &loaded.kind {
            Kind::Tenancy(bundle) => {
                directory.declare(&bundle.catalog, old, bundle.as_ref(), anew)?
            }
            Kind::Plain(_) => directory,
        };
        let fast = Arc::new(loaded.compile(&mut directory));
        directory.named();
        Ok(Self {
            stamp: stamp(),
            loaded,
            fast,
            directory,
            store: Arc::clone(store),
            watch: None,
        })
    }

    /// These policies over a directory that was read with others.
    fn with(
        &self,
        loaded: Arc<Loaded>,
        directory: Directory,
        before: &Loaded,
    ) -> Result<Self, Error> {
        let (mut old, mut anew) = (Catalog::default(), false);
        match (&loaded.kind, &before.kind) {
            (Kind::Tenancy(bundle), Kind::Tenancy(before)) => {
                check_in_use(&directory, bundle, before)?;
                old = before.catalog.clone();
                anew = bundle.names.types != before.names.types;
            }
            (Kind::Plain(_), Kind::Plain(_)) => {}
            (Kind::Tenancy(_), Kind::Plain(_)) | (Kind::Plain(_), Kind::Tenancy(_)) => {
                return Err(Error::NotTenancy {
                    verb: "reload".to_owned(),
                });
            }
        }
        let next = Self::new(loaded, directory, (&old, anew), &self.store)?;
        Ok(Self {
            watch: self.watch.clone(),
            ..next
        })
    }

    /// A directory that was read with other policies, under those of this version.
    fn reread(&self, directory: Directory, before: &Loaded) -> Result<Self, Error> {
        self.with(Arc::clone(&self.loaded), directory, before)
    }

    /// The same policies over another directory.
    fn over(&self, directory: Directory) -> Result<Self, Error> {
        let (loaded, store, watch) = (
            Arc::clone(&self.loaded),
            Arc::clone(&self.store),
            self.watch.clone(),
        );
        // Its records have numbers of their own: policies that name some are compiled anew.
        if directory.numbering() != self.directory.numbering() && !self.fast.is_portable() {
            let bundle = self.tenancy("change")?;
            let next = Self::new(
                Arc::clone(&loaded),
                directory,
                (&bundle.catalog, false),
                &store,
            )?;
            return Ok(Self { watch, ..next });
        }
        Ok(Self {
            stamp: stamp(),
            loaded,
            fast: Arc::clone(&self.fast),
            directory,
            store,
            watch,
        })
    }

    fn tenancy(&self, verb: &str) -> Result<&Bundle, Error> {
        match &self.loaded.kind {
            Kind::Tenancy(bundle) => Ok(bundle),
            Kind::Plain(_) => Err(Error::NotTenancy {
                verb: verb.to_owned(),
            }),
        }
    }
}
