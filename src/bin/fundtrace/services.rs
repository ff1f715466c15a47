//! What `detect` says of addresses: deposit addresses and wallets of tagged services, pools, payment processors.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use fundtrace::bitcoin::Network;
use fundtrace::cluster::{self, Clusters, Guard};
use fundtrace::detect::{Finding, Kind};
use fundtrace::service::{deposit, hot_wallet, pool, processor};
use fundtrace::tag::Tags;
use fundtrace::{AddressIndex, Error, View};

use crate::{input, tags};

/// What begins with a tagged address, and is not looked for without one.
const OF_TAGS: [Kind; 3] = [Kind::Deposit, Kind::HotWallet, Kind::ColdWallet];

/// Refuses to look for what cannot be found.
pub(crate) fn check(only: &[Kind], files: &[PathBuf]) -> Result<(), Error> {
    match only.iter().find(|kind| OF_TAGS.contains(kind)) {
        Some(kind) if files.is_empty() => Err(input::invalid(format!(
            "--only {kind} needs --tags FILE...: it is found by what leads to the tagged addresses of services"
        ))),
        _ => Ok(()),
    }
}

/// The tags of all files, those of the first before those of the others.
pub(crate) fn known(files: &[PathBuf], network: Network) -> Result<Tags, Error> {
    let mut known = Tags::default();
    for file in files {
        known.add(&tags::read(file, network)?);
    }
    Ok(known)
}

/// Findings about addresses, in chain order of the addresses, those of one by kind.
pub(crate) fn find(view: View<'_>, tags: &Tags, kinds: &BTreeSet<Kind>) -> Vec<(AddressIndex, Finding)> {
    let of_tags = !tags.is_empty() && OF_TAGS.iter().any(|kind| kinds.contains(kind));
    if !of_tags && !kinds.contains(&Kind::Pool) && !kinds.contains(&Kind::Processor) {
        return Vec::new();
    }
    let guard = Guard::default();
    let clusters = cluster::by_spending(view, |tx| guard.skips(tx));
    let mut found = Vec::new();
    if of_tags {
        found.extend(of_services(view, tags, &clusters));
    }
    if kinds.contains(&Kind::Pool) {
        let pools = pool::find(view, Some(&clusters));
        found.extend(pools.iter().map(|pool| (pool.address, pool.finding(view))));
    }
    if kinds.contains(&Kind::Processor) {
        let terms = processor::Terms::default();
        let processors = processor::find(view, &terms, Some(&clusters));
        found.extend(processors.iter().map(|processor| (processor.address, processor.finding(view, &terms))));
    }
    found.retain(|(_, finding)| kinds.contains(&finding.kind));
    found.sort_by_key(|(address, finding)| (*address, finding.kind));
    found
}

fn of_services(view: View<'_>, tags: &Tags, clusters: &Clusters) -> Vec<(AddressIndex, Finding)> {
    let deposits = deposit::find(view, tags, Some(clusters), &deposit::Terms::default());
    let mut told = Vec::new();
    if deposits.services().is_empty() && deposits.disputed().is_empty() {
        told.push("no tagged address is in the input that may be a service's, so nothing leads to one".to_owned());
    }
    if !deposits.disputed().is_empty() {
        let count = deposits.disputed().len();
        told.push(format!("tags of different labels are on {count} owners' addresses, which count as nobody's"));
    }
    if !deposits.is_whole() {
        told.push("the search for collecting addresses was cut; there may be more".to_owned());
    }
    for line in told {
        // Nothing is left to tell when standard error is closed.
        let _ = writeln!(std::io::stderr(), "fundtrace: {line}");
    }
    let cold = hot_wallet::cold(view, &deposits, Some(clusters));
    let found = deposits.iter().map(|deposit| (deposit.address, deposits.finding(view, deposit)));
    let hot = deposits.hot_wallets().iter().map(|wallet| (wallet.address, wallet.finding(view, &deposits)));
    found.chain(hot).chain(cold.iter().map(|wallet| (wallet.address, wallet.finding(view, &deposits)))).collect()
}
