//! From one address of a hot wallet to the others, along its own change.
//!
//! A hot wallet pays, takes the change and pays again; a tag on one of its addresses covers nothing of that. So payments of a known place are followed to their change, forwards and
//! backwards. One wrong step leads into a customer's wallet and on, so steps count only if they lie between two places that are the service's by other means: tagged, learned, or such as
//! collect from many ([`Walk::is_collecting`]). What dangles is cut off.
//!
//! Change is an output to a new address that is used once, of the kind of script that all inputs have, spent by a payment with the same fingerprint; if there are several, one whose
//! spender pays many as this one does; and only if exactly one is left. This looks ahead.

use std::collections::{BTreeMap, BTreeSet};

use super::Terms;
use super::moves::{Moves, NONE, Places, payers};
use crate::chain::{Output, Tx, View};
use crate::change::Fingerprint;
use crate::cluster::Clusters;
use crate::id::{self, AddressIndex, ClusterIndex};

/// So many places are looked at, of all services together.
const PLACES_MAX: usize = 200_000;
/// From so many outputs on a payment pays many.
const MANY: usize = 5;
/// What one wallet's transactions have in common.
const MASK: u32 = Fingerprint::VERSION_2
    | Fingerprint::LOCKTIME_HEIGHT
    | Fingerprint::LOCKTIME_TIME
    | Fingerprint::RBF
    | Fingerprint::P2PKH
    | Fingerprint::P2WPKH
    | Fingerprint::P2SH
    | Fingerprint::P2WSH
    | Fingerprint::P2TR
    | Fingerprint::MULTISIG;

pub(super) struct Walk<'s, 'c> {
    pub(super) view: View<'c>,
    pub(super) places: &'s Places,
    pub(super) moves: &'s Moves,
    pub(super) clusters: Option<&'s Clusters>,
    pub(super) barred: &'s BTreeSet<u32>,
    pub(super) terms: &'s Terms,
}

impl Walk<'_, '_> {
    /// Walks from places of a service; returns the places between, ascending, and false if the search was cut.
    pub(super) fn between(&self, from: &[u32], service: u32) -> (Vec<u32>, bool) {
        let mut links: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        let mut waiting: Vec<u32> = from.to_vec();
        let mut seen: BTreeSet<u32> = from.iter().copied().collect();
        while let Some(place) = waiting.pop() {
            if seen.len() > PLACES_MAX {
                return (self.pruned(links, service), false);
            }
            for other in self.steps(place, service) {
                links.entry(place).or_default().insert(other);
                links.entry(other).or_default().insert(place);
                if seen.insert(other) {
                    waiting.push(other);
                }
            }
        }
        (self.pruned(links, service), true)
    }

    /// Cuts off what hangs on one link and is no end of its own, again and again.
    fn pruned(&self, mut links: BTreeMap<u32, BTreeSet<u32>>, service: u32) -> Vec<u32> {
        let ends: BTreeSet<u32> =
            links.keys().copied().filter(|place| self.is_its(*place, service) || self.is_collecting(*place)).collect();
        let mut loose: Vec<u32> =
            links.iter().filter(|(place, to)| to.len() < 2 && !ends.contains(place)).map(|(place, _)| *place).collect();
        while let Some(place) = loose.pop() {
            for other in links.remove(&place).unwrap_or_default() {
                if let Some(to) = links.get_mut(&other) {
                    to.remove(&place);
                    if to.len() < 2 && !ends.contains(&other) {
                        loose.push(other);
                    }
                }
            }
        }
        links.into_keys().filter(|place| !self.is_its(*place, service)).collect()
    }

    fn is_its(&self, place: u32, service: u32) -> bool {
        self.places.service[id::at(place)] == service
    }

    /// The steps from a place: to the change of its payments, and to whoever made a payment of which it is the change.
    fn steps(&self, place: u32, service: u32) -> BTreeSet<u32> {
        let mut found = BTreeSet::new();
        let mut add = |address: Option<AddressIndex>| {
            let other = self.places.place_of(address);
            let free = other != NONE && other != place && !self.barred.contains(&other);
            if free && [NONE, service].contains(&self.places.service[id::at(other)]) {
                found.insert(other);
            }
        };
        for address in self.members(place) {
            for output in self.view.outputs_of(address).iter().map(|output| self.view.output(output)) {
                if let Some(spender) = output.spender() {
                    add(change(spender).and_then(Output::address_index));
                }
                if change(output.tx()).is_some_and(|change| change.index() == output.index()) {
                    add(output.tx().inputs().next().and_then(|input| input.address_index()));
                }
            }
        }
        found
    }

    pub(super) fn members(&self, place: u32) -> Vec<AddressIndex> {
        let clustered = self.clusters.map_or(0, Clusters::len);
        match self.clusters {
            Some(clusters) if id::at(place) < clustered => clusters.members(ClusterIndex::from_u32(place)).to_vec(),
            _ => vec![AddressIndex::of(id::at(place) - clustered)],
        }
    }

    /// True when twice as many addresses as make a place learned hand on to it and nowhere else, and as many different payers paid those with payments: a wallet's own coins that are
    /// moved about and joined come from few, and a person has fewer.
    fn is_collecting(&self, place: u32) -> bool {
        let least = 2 * id::at(self.terms.depositors_min);
        let (mut from, mut paid_by) = (BTreeSet::new(), BTreeSet::new());
        for form in self.moves.into(place) {
            let mut one_way = payers(self.view.tx(self.moves.form(form).tx)).0;
            one_way.retain(|address| self.moves.is_one_way(*address));
            // Those that are known to have one owner with the first hand on elsewhere too.
            let more = one_way.first().map_or(Vec::new(), |first| self.members(self.places.of[first.at()]));
            for address in one_way.into_iter().chain(more).filter(|address| self.moves.is_one_way(*address)) {
                if !from.insert(address) {
                    continue;
                }
                for output in self.view.outputs_of(address).iter().map(|output| self.view.output(output)) {
                    if output.tx().outputs().len() > 1 {
                        paid_by.extend(output.tx().inputs().next().and_then(|input| input.address_index()));
                    }
                }
                if from.len() >= least && paid_by.len() >= least {
                    return true;
                }
            }
        }
        false
    }
}

/// True when some output goes back to an address that the transaction spends from.
fn takes_back(tx: Tx<'_>) -> bool {
    let from = payers(tx).0;
    tx.outputs().any(|output| output.address_index().is_some_and(|address| from.binary_search(&address).is_ok()))
}

/// The one output that looks like the payer's own, where nothing goes to the payer's known addresses.
fn change(tx: Tx<'_>) -> Option<Output<'_>> {
    if tx.outputs().len() < 2 || tx.is_coinbase() {
        return None;
    }
    let kind = tx.inputs().next().and_then(|input| input.script_type());
    let (Some(word), Some(kind)) = (Fingerprint::of(tx), kind) else { return None };
    if !tx.inputs().all(|input| input.script_type() == Some(kind)) || takes_back(tx) {
        return None;
    }
    let fits = |output: &Output<'_>| {
        let spender = output.spender().filter(|spender| spender.outputs().len() > 1);
        output.script_type() == Some(kind)
            && output.is_of_new_address() == Some(true)
            && spender.and_then(Fingerprint::of).and_then(|other| word.agrees(other, MASK)) == Some(true)
            && output.address_index().is_some_and(|address| output.tx().view().outputs_of(address).len() == 1)
    };
    let mut found: Vec<Output<'_>> = tx.outputs().filter(fits).collect();
    if found.len() > 1 {
        let pays_many = tx.outputs().len() >= MANY;
        let alike = |o: &Output<'_>| o.spender().is_some_and(|spender| (spender.outputs().len() >= MANY) == pays_many);
        if found.iter().any(alike) {
            found.retain(alike);
        }
    }
    (found.len() == 1).then(|| found[0])
}
