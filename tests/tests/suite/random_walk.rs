//! A random walk over all methods that change the directory or the bill, beside a model that shares
//! no code with the engine. A command or request is allowed exactly if the model entitles it, the
//! stored records must equal those of the model, and the months of each owner tile the time and keep
//! their figures. It runs in memory, on a file, and on a file that two processes share, of which one
//! is killed now and then. `SUBLET_WALK` is the number of steps, and `SUBLET_WALK_SEED` is added to
//! the seeds.

mod authorization;
mod bill;
mod commands;
mod entitlement;
mod host;
mod persistence;
mod sides;
mod world;

use std::time::Instant;

use serde_json::json;
use sublet_tests::{Random, folder};

pub(crate) use self::sides::Sides;
use self::world::World;

const BEGIN: &str = "2026-01-15T12:00:00Z";
/// Number of steps between two full comparisons.
const LOOK: usize = 500;
/// The longest time between two steps, in milliseconds.
const LONGEST: usize = 144_000_000;

fn size(name: &str, usual: usize) -> usize {
    let size = std::env::var(name).ok();
    size.and_then(|size| size.parse().ok()).unwrap_or(usual)
}

/// Walks on a store. `other` says whether there is a second process, and whether it is killed.
fn walk(seed: u64, store: &str, other: Option<bool>) {
    let begun = Instant::now();
    let seed = seed + size("SUBLET_WALK_SEED", 0) as u64;
    let (mut random, mut world) = (Random::new(seed), World::new(BEGIN));
    let mut sides = Sides::open(store, world.now, world.price, other);
    sides
        .ask_here(&json!({ "do": "import", "lines": world.lines() }))
        .expect("imported");
    let (steps, mut months) = (size("SUBLET_WALK", 3_000), 0);
    for step in 0..steps {
        // No two steps share an instant, so that the order of their effects is plain.
        let time = match random.below(20) {
            0 => 1 + random.below(LONGEST),
            _ => 1_000,
        };
        let time = i64::try_from(time).expect("small");
        world.advance(time);
        sides.advance(time);
        match random.below(20) {
            0 => host::step(&mut world, &mut random, &mut sides),
            1 | 2 => bill::step(&mut world, &mut random, &mut sides),
            3..=8 => authorization::step(&world, &mut random, &mut sides),
            _ => commands::step(&mut world, &mut random, &mut sides),
        }
        if step % LOOK == LOOK - 1 || step + 1 == steps {
            months = persistence::check_records(&mut world, &mut sides);
        }
    }
    println!(
        "seed {seed}: {steps} steps in {:.1} s, {} accounts, {} open owners, {months} months, {} settled, {} kills",
        begun.elapsed().as_secs_f64(),
        world.accounts.len(),
        world.open_mains().len(),
        world.settled(),
        sides.kills
    );
    for (name, allowed) in &world.counts {
        let [refused, errors] = world.refusals.get(name).copied().unwrap_or_default();
        println!("seed {seed}: {name}: {allowed} allowed, {refused} denied, {errors} errors");
    }
    world.check_coverage(steps);
}

#[test]
fn walk_in_memory_agrees_with_model() {
    for seed in 1..=2 {
        walk(seed, "memory:", None);
    }
}

#[test]
fn walk_on_sqlite_agrees_with_model() {
    let store = format!("sqlite:{}", folder().join("sublet.db").display());
    walk(3, &store, None);
}

#[test]
fn walk_of_two_processes_agrees_with_model() {
    let store = format!("sqlite:{}", folder().join("sublet.db").display());
    walk(4, &store, Some(true));
}

#[test]
fn walk_knows_every_command() {
    let known: std::collections::BTreeSet<&str> = commands::NAMES.into_iter().collect();
    assert_eq!(known, sublet::Command::NAMES.iter().copied().collect());
}
