//! The engine: one method for each request, over snapshots that are replaced atomically.
//!
//! Readers take one [`Snapshot`] and never wait. Writers take the write lock. A forked child may
//! inherit a lock of a thread that it does not have, and then creates a new lock.

#[cfg(test)]
mod attribute_path_tests;
mod authorize;
mod billing;
mod books;
mod cached_grant;
mod command_authorization;
mod command_entries;
mod commands;
mod consume;
mod count_store;
mod directory;
mod emit;
mod event_fields;
mod explain;
mod export_account;
#[cfg(test)]
mod fast_path_tests;
mod list;
mod login;
mod login_hosts;
mod observe;
mod options;
mod permitted_actions;
mod quota;
mod quota_account;
mod quota_question;
mod quota_request;
mod snapshot;
mod sync;
mod tickets;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use self::commands::Performed;
pub use self::options::Options;
use self::snapshot::CurrentSnapshot;
use self::sync::DirectoryVersion;
use crate::api::decision::{BundleInfo, PolicyInfo};
use crate::authorize::{LoadedPolicies, PolicyEngine, TenantPrograms, load};
use crate::cedar::bundle::Bundle;
use crate::cedar::options::Validation;
use crate::cedar::source::{PolicySource, placeless};
use crate::directory::Directory;
use crate::model::catalog::Catalog;
use crate::model::fingerprint::Fingerprint;
use crate::store::{self, Store};
use crate::telemetry::EventBus;
use crate::util::error::{Diagnostics, Error};
use crate::util::fork_safe_mutex::ForkSafeMutex;
use crate::util::panic::catch_panic;
use crate::util::parse_limits::ParseLimits;

/// One consistent version of everything that a decision depends on (E3).
#[derive(Debug)]
struct Snapshot {
    /// The id of the version, unique in the process.
    version_id: u64,
    loaded: Arc<LoadedPolicies>,
    /// The loaded policies, compiled for the record numbers of this directory.
    tenant_programs: Arc<TenantPrograms>,
    directory: Directory,
    /// The store of counts, which is the same in every version.
    store: Arc<dyn Store>,
    /// The version of a shared directory, which detects changes by other processes.
    directory_version: Option<DirectoryVersion>,
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
    /// Event subscribers and metrics. This is the first field because every method reads it.
    telemetry: EventBus,
    current: CurrentSnapshot,
    /// The write lock for the directory and the policies.
    write_lock: ForkSafeMutex,
    /// The lock of the thread that follows changes by other processes.
    following: ForkSafeMutex,
    caps: ParseLimits,
    validation: Validation,
}

impl Engine {
    /// Opens an engine: loads all policies or none, and the directory that the store holds. In
    /// memory the directory starts empty.
    ///
    /// # Errors
    /// Fails with [`Error::Bundle`] and every fault of the first stage of loading that failed.
    /// Fails with [`Error::Store`] for a kind of store that this version does not have, and with
    /// the `store.*` codes if the store cannot be opened.
    pub fn open(options: Options) -> Result<Self, Error> {
        catch_panic(|| {
            let loaded = load(&options.policies, options.validation, &options.caps)?;
            let hub = EventBus::new(options.clock.clone());
            let store: Arc<dyn Store> = match options.store.split_once(':') {
                Some(("memory", "")) => store::MemoryStore::open(options.clock),
                Some(("sqlite", _)) => {
                    Arc::new(store::SqliteStore::open(&options.store, options.clock)?)
                }
                _ => {
                    return Err(Error::Store {
                        store: crate::util::text::short(&options.store),
                    });
                }
            };
            let state = Snapshot::build(
                loaded,
                Directory::default(),
                (&Catalog::default(), false),
                &store,
            )?
            .with_stored_directory()?;
            Self::record_figures(&state)?;
            Ok(Self {
                telemetry: hub,
                current: CurrentSnapshot::new(state),
                write_lock: ForkSafeMutex::default(),
                following: ForkSafeMutex::default(),
                caps: options.caps,
                validation: options.validation,
            })
        })
    }

    /// Replaces all policies or none (E4). After an error the old policies stay in force. Returns
    /// the new fingerprint.
    ///
    /// The price and the other billing figures of the bundle hold from this instant on, in every
    /// process of the store (B8).
    ///
    /// # Errors
    /// Fails with the errors of [`Engine::open`], and with `bundle.in_use` if the directory uses
    /// names that the new bundle no longer declares.
    pub fn reload(&self, source: &PolicySource) -> Result<Fingerprint, Error> {
        let swapped = catch_panic(|| {
            let loaded = load(source, self.validation, &self.caps)?;
            let fingerprint = loaded.fingerprint;
            self.with_turn(|| {
                loop {
                    let _ = self.current()?;
                    let now = self.current.load_full();
                    let next =
                        now.with_policies(Arc::clone(&loaded), now.directory.clone(), &now.loaded)?;
                    Self::record_figures(&next)?;
                    // A change of another process may have been applied meanwhile.
                    if self.current.replace(&now, Arc::new(next)) {
                        return Ok((now.loaded.fingerprint, fingerprint));
                    }
                }
            })
        });
        let (replaced, fingerprint) = self.count_error("reload", swapped)?;
        self.emit_reload(&replaced, &fingerprint);
        Ok(fingerprint)
    }

    /// Returns the description of the loaded bundle.
    #[must_use]
    pub fn bundle(&self) -> BundleInfo {
        let state = self.current.load();
        let rules = state.loaded.rules();
        let policies = rules.list.iter().map(|rule| PolicyInfo {
            id: Arc::clone(&rule.id),
            effect: rule.role.as_str(),
            code: rule.code.clone(),
            place: rule.place.clone(),
        });
        let (tenancy, actions, features, warnings) = match &state.loaded.kind {
            PolicyEngine::Tenancy(bundle) => (
                true,
                bundle.action_names(),
                bundle.features_in_words(),
                bundle.warnings.clone(),
            ),
            PolicyEngine::Plain(plain) => (false, plain.action_names(), Vec::new(), Vec::new()),
        };
        BundleInfo {
            fingerprint: state.loaded.fingerprint,
            tenancy,
            policies: policies.collect(),
            actions,
            features,
            codes: state.loaded.codes_in_words(),
            warnings,
            fallback: state.tenant_programs.fallback(&state.loaded),
        }
    }

    /// Returns the revision of the directory, which grows by one with each transaction of any
    /// process. If the store cannot be read, returns the last revision that this process knows.
    #[must_use]
    pub fn revision(&self) -> u64 {
        catch_panic(|| Ok(self.current()?.directory.revision()))
            .unwrap_or_else(|_| self.current.load().directory.revision())
    }

    /// Panics inside the engine, to test how a host sees a panic. Only returns `Ok` unless the
    /// environment variable `SUBLET_ALLOW_PANIC` is `1`.
    ///
    /// # Errors
    /// Fails with [`Error::Panic`] if the panic is allowed.
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
    /// Makes this process die at a step of its next transaction (`begun`, `worked`, `committed`),
    /// to test how other processes see the crash. Does nothing unless the environment variable
    /// `SUBLET_ALLOW_CRASH` is `1`.
    #[doc(hidden)]
    pub fn _crash_at(&self, point: &str) {
        crate::util::fault_injection::arm(point);
    }
}

/// Checks that a process with the new bundle could open the directory. Walks the directory only if
/// the new bundle lacks a name or gives a name another meaning.
fn check_policies_in_use(
    directory: &Directory,
    bundle: &Bundle,
    before: &Bundle,
) -> Result<(), Error> {
    if bundle.covers(before) {
        return Ok(());
    }
    let reasons = directory.misfits(&bundle.catalog, &before.catalog, bundle);
    Diagnostics::into_result(
        reasons
            .into_iter()
            .map(|reason| placeless("bundle.in_use", reason))
            .collect(),
    )
}

/// Returns a new version id.
fn version_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Snapshot {
    /// Builds a snapshot of the loaded policies over a directory that used another catalog. If the
    /// schema declares other types, `anew` makes the directory check its attributes again.
    fn build(
        loaded: Arc<LoadedPolicies>,
        directory: Directory,
        (old, anew): (&Catalog, bool),
        store: &Arc<dyn Store>,
    ) -> Result<Self, Error> {
        let mut directory = match &loaded.kind {
            PolicyEngine::Tenancy(bundle) => {
                directory.bind_catalog(&bundle.catalog, old, bundle.as_ref(), anew)?
            }
            PolicyEngine::Plain(_) => directory,
        };
        let fast = Arc::new(loaded.compile(&mut directory));
        directory.mark_names_reserved();
        Ok(Self {
            version_id: version_id(),
            loaded,
            tenant_programs: fast,
            directory,
            store: Arc::clone(store),
            directory_version: None,
        })
    }

    /// Returns a snapshot with these policies over a directory that was read with others.
    fn with_policies(
        &self,
        loaded: Arc<LoadedPolicies>,
        directory: Directory,
        before: &LoadedPolicies,
    ) -> Result<Self, Error> {
        let (mut old, mut anew) = (Catalog::default(), false);
        match (&loaded.kind, &before.kind) {
            (PolicyEngine::Tenancy(bundle), PolicyEngine::Tenancy(before)) => {
                check_policies_in_use(&directory, bundle, before)?;
                old = before.catalog.clone();
                anew = bundle.names.types != before.names.types;
            }
            (PolicyEngine::Plain(_), PolicyEngine::Plain(_)) => {}
            (PolicyEngine::Tenancy(_), PolicyEngine::Plain(_))
            | (PolicyEngine::Plain(_), PolicyEngine::Tenancy(_)) => {
                return Err(Error::NotTenancy {
                    verb: "reload".to_owned(),
                });
            }
        }
        let next = Self::build(loaded, directory, (&old, anew), &self.store)?;
        next.evaluator().compile_used(&self.tenant_programs);
        Ok(Self {
            directory_version: self.directory_version.clone(),
            ..next
        })
    }

    /// Returns a snapshot with this version's policies over a directory that was read with others.
    fn with_reloaded_directory(
        &self,
        directory: Directory,
        before: &LoadedPolicies,
    ) -> Result<Self, Error> {
        self.with_policies(Arc::clone(&self.loaded), directory, before)
    }

    /// Returns a snapshot with the same policies over another directory, at this instant.
    fn with_directory(&self, mut directory: Directory) -> Result<Self, Error> {
        if directory.next_lapse_end() != i64::MAX {
            directory = directory.with_ended_lapses(self.store.now());
        }
        let known = self.directory.tables();
        directory.tables_mut().store_facts_of(known);
        let (loaded, store, watch) = (
            Arc::clone(&self.loaded),
            Arc::clone(&self.store),
            self.directory_version.clone(),
        );
        // The records have new numbers, so policies that contain record numbers are compiled again.
        if directory.generation() != self.directory.generation()
            && !self.tenant_programs.is_portable()
        {
            let bundle = self.tenancy("apply_changes")?;
            let next = Self::build(
                Arc::clone(&loaded),
                directory,
                (&bundle.catalog, false),
                &store,
            )?;
            next.evaluator().compile_used(&self.tenant_programs);
            return Ok(Self {
                directory_version: watch,
                ..next
            });
        }
        Ok(Self {
            version_id: version_id(),
            loaded,
            tenant_programs: Arc::clone(&self.tenant_programs),
            directory,
            store,
            directory_version: watch,
        })
    }

    fn tenancy(&self, verb: &str) -> Result<&Bundle, Error> {
        match &self.loaded.kind {
            PolicyEngine::Tenancy(bundle) => Ok(bundle),
            PolicyEngine::Plain(_) => Err(Error::NotTenancy {
                verb: verb.to_owned(),
            }),
        }
    }
}
