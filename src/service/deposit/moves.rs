//! Transactions that hand all they have to one place, and the addresses whose coins only ever leave in such transactions.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::chain::{Payers, Tx, View};
use crate::cluster::Clusters;
use crate::id::{self, AddressIndex, TxIndex};
use crate::tag::{Tag, Tags};

/// No place, no service.
pub(super) const NONE: u32 = u32::MAX;

/// Where addresses belong together: a cluster, an address by itself, or everything that is tagged with one label.
pub(super) struct Places {
    /// The place of each address.
    pub(super) of: Vec<u32>,
    /// The service of each place, as far as it is known.
    pub(super) service: Vec<u32>,
    /// The first tag of each service, and its place; none where all its tagged places hand on.
    pub(super) services: Vec<(Arc<Tag>, u32)>,
    /// Tagged places that only hand on, with the service of their tag, in order: deposit addresses themselves.
    pub(super) hand_on: Vec<(u32, u32)>,
    /// Places that are tagged with several labels, in order: nobody's here.
    pub(super) disputed: Vec<u32>,
}

impl Places {
    pub(super) fn of(view: View<'_>, tags: &Tags, clusters: Option<&Clusters>) -> Self {
        let seen = view.addresses_seen();
        let clustered = clusters.map_or(0, Clusters::len);
        let place = |at: usize| {
            let cluster = clusters.and_then(|clusters| clusters.of(AddressIndex::of(at)));
            cluster.map_or_else(|| id::small(clustered + at), |cluster| cluster.to_u32())
        };
        let mut places = Self {
            of: (0..seen).map(place).collect(),
            service: vec![NONE; clustered + seen],
            services: Vec::new(),
            hand_on: Vec::new(),
            disputed: Vec::new(),
        };
        let tagged = tags.addresses(view);
        let mut labels: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
        for (address, tags) in &tagged {
            labels.entry(places.of[address.at()]).or_default().extend(tags.iter().map(|tag| tag.label.as_str()));
        }
        for (place, labels) in &mut labels {
            labels.sort_unstable();
            labels.dedup();
            if labels.len() > 1 {
                places.disputed.push(*place);
            }
        }
        let mut index: BTreeMap<&str, u32> = BTreeMap::new();
        let mut joined: BTreeMap<u32, u32> = BTreeMap::new();
        for (address, tags) in &tagged {
            let (place, Some(tag)) = (places.of[address.at()], tags.first()) else { continue };
            if places.disputed.binary_search(&place).is_ok() || joined.contains_key(&place) {
                continue;
            }
            let service = *index.entry(&tag.label).or_insert_with(|| {
                places.services.push((Arc::new((*tag).clone()), NONE));
                id::small(places.services.len() - 1)
            });
            let members = clusters.and_then(|clusters| Some(clusters.members(clusters.of(*address)?)));
            if only_hands_on(view, members.unwrap_or(&[*address])) {
                places.hand_on.push((place, service));
                joined.insert(place, place);
                continue;
            }
            let home = &mut places.services[id::at(service)].1;
            if *home == NONE {
                *home = place;
                places.service[id::at(place)] = service;
            }
            joined.insert(place, *home);
        }
        places.hand_on.sort_unstable();
        if joined.iter().any(|(place, home)| place != home) {
            for place in &mut places.of {
                *place = joined.get(place).copied().unwrap_or(*place);
            }
        }
        places
    }

    /// The service that an address is known to be of.
    pub(super) fn service_of(&self, address: AddressIndex) -> u32 {
        self.service[id::at(self.of[address.at()])]
    }

    /// The place of an output's address.
    pub(super) fn place_of(&self, address: Option<AddressIndex>) -> u32 {
        address.and_then(|address| self.of.get(address.at())).copied().unwrap_or(NONE)
    }
}

/// True when every transaction that spends from these addresses has one output, and there is one: whoever pays others has change sooner or later.
fn only_hands_on(view: View<'_>, members: &[AddressIndex]) -> bool {
    let mut spent = false;
    for address in members {
        for spender in view.outputs_of(*address).iter().filter_map(|output| view.output(output).spender()) {
            spent = true;
            if spender.outputs().len() > 1 {
                return false;
            }
        }
    }
    spent
}

/// A transaction that hands all it has, or nearly, to one place.
#[derive(Clone, Copy)]
pub(super) struct Form {
    pub(super) tx: TxIndex,
    pub(super) to: u32,
    /// It has one output, and nothing is seen to spend it.
    pub(super) open: bool,
}

/// Which transactions are of this form: `share_min_ppm` of what they pay goes to one place.
pub(super) fn forms(view: View<'_>, places: &Places, share_min_ppm: u32) -> Vec<Form> {
    view.gather(|tx, found| {
        if tx.is_coinbase() {
            return;
        }
        if let Some(to) = destination(tx, places, share_min_ppm) {
            let mut outputs = tx.outputs();
            let only = outputs.next().filter(|_| outputs.next().is_none());
            let open = only.is_some_and(|output| output.spender().is_none());
            found.push(Form { tx: tx.index(), to, open });
        }
    })
}

/// The place to which so large a share goes. A vote by weight finds the only one that can be; a second pass weighs it.
fn destination(tx: Tx<'_>, places: &Places, share_min_ppm: u32) -> Option<u32> {
    let paid = || {
        tx.outputs()
            .map(|output| (places.place_of(output.address_index()), output.value().map_or(0, |value| value.to_sat())))
    };
    let (mut first, mut lead, mut total) = (NONE, 0_u64, 0_u64);
    for (place, sat) in paid() {
        total += sat;
        if place == first {
            lead += sat;
        } else if lead < sat {
            (first, lead) = (place, sat - lead);
        } else {
            lead -= sat;
        }
    }
    if first == NONE || total == 0 {
        return None;
    }
    let to: u64 = paid().filter(|(place, _)| *place == first).map(|(_, sat)| sat).sum();
    (u128::from(to) * 1_000_000 >= u128::from(total) * u128::from(share_min_ppm)).then_some(first)
}

/// The forms, by the addresses that they spend from and by the places that they pay.
pub(super) struct Moves {
    pub(super) forms: Vec<Form>,
    /// Address and form, sorted: of addresses whose every spend is of the form.
    by_address: Vec<(u32, u32)>,
    /// Place and form, sorted.
    by_place: Vec<(u32, u32)>,
    /// By address: some spend of it is of another form.
    other: Vec<bool>,
}

impl Moves {
    pub(super) fn of(view: View<'_>, places: &Places, share_min_ppm: u32) -> Self {
        let forms = forms(view, places, share_min_ppm);
        let mut other = vec![false; places.of.len()];
        let mut spent: Vec<(u32, u32)> = Vec::new();
        let payers = Payers::of(view);
        let mut next = 0;
        payers.each(payers.txs(), |tx, addresses| {
            if forms.get(next).is_some_and(|form| form.tx == tx) {
                spent.extend(addresses.iter().map(|address| (address.to_u32(), id::small(next))));
                next += 1;
            } else {
                addresses.iter().for_each(|address| other[address.at()] = true);
            }
        });
        spent.retain(|(address, _)| !other[id::at(*address)]);
        spent.sort_unstable();
        spent.dedup();
        let mut by_place: Vec<(u32, u32)> = (0..).zip(&forms).map(|(at, form)| (form.to, at)).collect();
        by_place.sort_unstable();
        Self { forms, by_address: spent, by_place, other }
    }

    pub(super) fn form(&self, at: u32) -> Form {
        self.forms[id::at(at)]
    }

    /// The forms that spend from an address; of one that is spent otherwise too, none.
    pub(super) fn from(&self, address: u32) -> impl Iterator<Item = u32> + '_ {
        run(&self.by_address, address)
    }

    /// The forms that pay a place.
    pub(super) fn into(&self, place: u32) -> impl Iterator<Item = u32> + '_ {
        run(&self.by_place, place)
    }

    /// True when an address is spent in no other way.
    pub(super) fn is_one_way(&self, address: AddressIndex) -> bool {
        !self.other[address.at()]
    }
}

fn run(sorted: &[(u32, u32)], key: u32) -> impl Iterator<Item = u32> + '_ {
    let from = sorted.partition_point(|(of, _)| *of < key);
    sorted[from..].iter().take_while(move |(of, _)| *of == key).map(|(_, at)| *at)
}

/// The different addresses that a transaction spends from, ascending, and whether every input has one.
pub(super) fn payers(tx: Tx<'_>) -> (Vec<AddressIndex>, bool) {
    let mut all: Vec<AddressIndex> = tx.inputs().filter_map(|input| input.address_index()).collect();
    let whole = all.len() == tx.inputs().len();
    all.sort_unstable();
    all.dedup();
    (all, whole)
}
