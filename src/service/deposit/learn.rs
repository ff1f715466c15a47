//! From the places that tags name to the places that their deposits lead to, and on until nothing new is found.
//!
//! A place is learned when enough different addresses that hand their coins to the service hand coins to it too ([`How::Learned`]), or
//! when it collects from enough of them and hands on to the service itself ([`How::Collecting`]).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Terms;
use super::moves::{Moves, payers};
use super::places::{NONE, Places};
use crate::chain::View;
use crate::cluster::Clusters;
use crate::id::{self, AddressIndex};
use crate::service::hot_wallet::How;

/// A collecting address joins the coins of so many others at once (ours).
const COLLECTS_MIN: usize = 5;
/// And does so more than once (ours).
const COLLECTIONS_MIN: usize = 2;
/// And is paid little else, in parts of a million (ours).
const COLLECTED_MIN_PPM: u128 = 900_000;
/// How often all places are looked through for collecting ones.
const ROUNDS_MAX: u32 = 16;

/// What was learned, beside [`Places::service`], which this adds to.
pub(super) struct Learned {
    /// By address: the service that it hands coins to.
    pub(super) depositor: Vec<u32>,
    /// Places with the way they were learned, in the order in which they were.
    pub(super) places: Vec<(u32, How)>,
    /// False when [`ROUNDS_MAX`] cut the search.
    pub(super) whole: bool,
}

struct Search<'s, 'c> {
    view: View<'c>,
    places: &'s mut Places,
    moves: &'s Moves,
    terms: &'s Terms,
    learned: Learned,
    queue: VecDeque<u32>,
    /// Depositors of a service that hand coins to a place, by place and service.
    counts: BTreeMap<(u32, u32), u32>,
}

/// Learns to a fixpoint.
pub(super) fn learn(
    view: View<'_>,
    places: &mut Places,
    moves: &Moves,
    clusters: Option<&Clusters>,
    terms: &Terms,
) -> Learned {
    let learned = Learned { depositor: vec![NONE; places.of.len()], places: Vec::new(), whole: true };
    let queue = places.services.iter().map(|(_, home)| *home).filter(|home| *home != NONE).collect();
    let mut search = Search { view, places, moves, terms, learned, queue, counts: BTreeMap::new() };
    search.begin_with_tagged_deposits();
    for round in 0.. {
        search.follow();
        if round == ROUNDS_MAX {
            search.learned.whole = false;
            break;
        }
        if !search.collecting(clusters) {
            break;
        }
    }
    search.learned
}

impl Search<'_, '_> {
    fn begin_with_tagged_deposits(&mut self) {
        if self.places.hand_on.is_empty() {
            return;
        }
        for at in 0..self.places.of.len() {
            let tagged = self.places.hand_on.binary_search_by_key(&self.places.of[at], |(place, _)| *place);
            if let Ok(tagged) = tagged {
                self.deposit(AddressIndex::of(at), self.places.hand_on[tagged].1);
            }
        }
    }

    /// Takes every address that hands coins to a known place.
    fn follow(&mut self) {
        while let Some(place) = self.queue.pop_front() {
            let service = self.places.service[id::at(place)];
            for form in self.moves.into(place) {
                for address in payers(self.view.tx(self.moves.form(form).tx)).0 {
                    self.deposit(address, service);
                }
            }
        }
    }

    fn deposit(&mut self, address: AddressIndex, service: u32) {
        let own = self.places.service_of(address) != NONE;
        if own || !self.moves.is_one_way(address) || self.learned.depositor[address.at()] != NONE {
            return;
        }
        self.learned.depositor[address.at()] = service;
        let mut to: Vec<u32> = self.moves.from(address.to_u32()).map(|form| self.moves.form(form).to).collect();
        to.sort_unstable();
        to.dedup();
        for place in to {
            let known = self.places.service[id::at(place)] != NONE;
            if known || place == self.places.of[address.at()] || self.places.barred.contains(&place) {
                continue;
            }
            let count = self.counts.entry((place, service)).or_default();
            *count += 1;
            if *count == self.terms.depositors_min {
                self.accept(place, service, How::Learned);
            }
        }
    }

    fn accept(&mut self, place: u32, service: u32, how: How) {
        self.places.service[id::at(place)] = service;
        self.learned.places.push((place, how));
        self.queue.push_back(place);
    }

    /// Looks for places that collect; true when one was found.
    fn collecting(&mut self, clusters: Option<&Clusters>) -> bool {
        let mut candidates: BTreeMap<u32, u32> = BTreeMap::new();
        for (at, service) in self.learned.depositor.iter().enumerate() {
            let place = self.places.of[at];
            if *service != NONE && self.places.service[id::at(place)] == NONE && !self.places.barred.contains(&place) {
                candidates.insert(place, *service);
            }
        }
        let mut found = false;
        for (place, service) in candidates {
            if self.collects(place, service, clusters) {
                self.accept(place, service, How::Collecting);
                found = true;
            }
        }
        found
    }

    fn collects(&self, place: u32, service: u32, clusters: Option<&Clusters>) -> bool {
        let (mut from, mut collections, mut collected) = (BTreeSet::new(), 0_usize, 0_u128);
        for form in self.moves.into(place) {
            let tx = self.view.tx(self.moves.form(form).tx);
            let one_way: Vec<AddressIndex> = payers(tx).0.into_iter().filter(|a| self.moves.is_one_way(*a)).collect();
            if one_way.len() >= COLLECTS_MIN {
                collections += 1;
                collected += tx.output_value().map_or(0, |value| u128::from(value.to_sat()));
                from.extend(one_way);
            }
        }
        if from.len() < id::at(self.terms.depositors_min) || collections < COLLECTIONS_MIN {
            return false;
        }
        let clustered = clusters.map_or(0, Clusters::len);
        let alone = [AddressIndex::of(id::at(place).saturating_sub(clustered))];
        let members = match clusters {
            Some(clusters) if id::at(place) < clustered => clusters.members(id::ClusterIndex::from_u32(place)),
            _ => &alone[..],
        };
        let (mut received, mut receipts) = (0_u128, 0_usize);
        for address in members {
            let to_service = |form: u32| self.places.service[id::at(self.moves.form(form).to)] == service;
            if !self.moves.is_one_way(*address) || !self.moves.from(address.to_u32()).all(to_service) {
                return false;
            }
            let outputs = self.view.outputs_of(*address);
            receipts += outputs.len();
            let values = outputs.iter().filter_map(|output| self.view.output(output).value());
            received += values.map(|value| u128::from(value.to_sat())).sum::<u128>();
        }
        let mostly = |part: u128, whole: u128| part * 1_000_000 >= whole * COLLECTED_MIN_PPM;
        mostly(collected, received) && mostly(id::number(collections).into(), id::number(receipts).into())
    }
}
