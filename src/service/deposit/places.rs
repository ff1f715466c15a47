//! Which addresses belong together, and which of them are a service's own, as tags and clusters say.
//!
//! A tag makes a service of its label where it [names one](Tag::names_service), and what is paid to the service counts as such on the days on which the tag holds.
//! Of a cluster that came from joint spending, an address without a tag that only hands on into the rest of it is left out: a deposit address that was swept
//! together with a coin of the hot wallet has the same form, and who pays it pays a customer's address and does not sweep.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::days::{Days, Span};
use crate::chain::{Output, View};
use crate::cluster::Clusters;
use crate::id::{self, AddressIndex};
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
    /// Places that no service may have: disputed, tagged with who is no service, handing on, or paid when no tag held.
    pub(super) barred: BTreeSet<u32>,
    /// Places that are tagged with who is no service, and with nobody else.
    pub(super) strangers: BTreeSet<u32>,
    /// When the tags of the services hold.
    pub(super) days: Days,
    /// The place of all that is paid to a service's address when no tag held.
    lapsed: u32,
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
            service: vec![NONE; clustered + seen + 1],
            services: Vec::new(),
            hand_on: Vec::new(),
            disputed: Vec::new(),
            barred: BTreeSet::new(),
            strangers: BTreeSet::new(),
            days: Days::default(),
            lapsed: id::small(clustered + seen),
        };
        let tagged = tags.addresses(view);
        places.bar(&tagged);
        places.name(view, &tagged, clusters);
        places.release(view, &tagged, clustered);
        places.date(&tagged);
        places
    }

    /// Bars what is tagged with several labels, and what is tagged with somebody who is no service.
    fn bar(&mut self, tagged: &[(AddressIndex, Vec<&Tag>)]) {
        self.barred.insert(self.lapsed);
        let (mut labels, mut named): (BTreeMap<u32, Vec<&str>>, BTreeSet<u32>) = (BTreeMap::new(), BTreeSet::new());
        for (address, tags) in tagged {
            let place = self.of[address.at()];
            labels.entry(place).or_default().extend(tags.iter().map(|tag| tag.label.as_str()));
            if tags.iter().any(|tag| tag.names_service()) {
                named.insert(place);
            }
        }
        self.strangers = labels.keys().copied().filter(|place| !named.contains(place)).collect();
        self.barred.extend(&self.strangers);
        for (place, labels) in &mut labels {
            labels.sort_unstable();
            labels.dedup();
            if labels.len() > 1 {
                self.disputed.push(*place);
                self.barred.insert(*place);
            }
        }
    }

    /// Makes services of labels, and one place of all that each has.
    fn name(&mut self, view: View<'_>, tagged: &[(AddressIndex, Vec<&Tag>)], clusters: Option<&Clusters>) {
        let mut index: BTreeMap<&str, u32> = BTreeMap::new();
        let mut joined: BTreeMap<u32, u32> = BTreeMap::new();
        for (address, tags) in tagged {
            let (place, named) = (self.of[address.at()], tags.iter().find(|tag| tag.names_service()));
            let Some(tag) = named else { continue };
            if self.disputed.binary_search(&place).is_ok() || joined.contains_key(&place) {
                continue;
            }
            let service = *index.entry(&tag.label).or_insert_with(|| {
                self.services.push((Arc::new((*tag).clone()), NONE));
                id::small(self.services.len() - 1)
            });
            let members = clusters.and_then(|clusters| Some(clusters.members(clusters.of(*address)?)));
            if only_hands_on(view, members.unwrap_or(&[*address])) {
                self.barred.insert(place);
                if holds_once(view, *address, tags) {
                    self.hand_on.push((place, service));
                }
                joined.insert(place, place);
                continue;
            }
            let home = &mut self.services[id::at(service)].1;
            if *home == NONE {
                *home = place;
                self.service[id::at(place)] = service;
            }
            joined.insert(place, *home);
        }
        self.hand_on.sort_unstable();
        if joined.iter().any(|(place, home)| place != home) {
            for place in &mut self.of {
                *place = joined.get(place).copied().unwrap_or(*place);
            }
        }
    }

    /// Leaves those without a tag that only hand on to the rest of a service's place out of it, each a place of its own.
    fn release(&mut self, view: View<'_>, tagged: &[(AddressIndex, Vec<&Tag>)], clustered: usize) {
        let is_tagged = |at: usize| tagged.binary_search_by_key(&AddressIndex::of(at), |(address, _)| *address).is_ok();
        let hands_on = |at: &usize| {
            let place = self.of[*at];
            self.service[id::at(place)] != NONE && !is_tagged(*at) && self.hands_on(view, AddressIndex::of(*at), place)
        };
        let released: Vec<usize> = (0..self.of.len()).filter(hands_on).collect();
        for at in released {
            self.of[at] = id::small(clustered + at);
        }
    }

    /// True when everything that an address ever paid went to a place, and there is something.
    fn hands_on(&self, view: View<'_>, address: AddressIndex, place: u32) -> bool {
        let outputs = view.outputs_of(address);
        let mut spenders = outputs.iter().filter_map(|output| view.output(output).spender()).peekable();
        let to_place = |output: Output<'_>| self.place_of(output.address_index()) == place;
        spenders.peek().is_some() && spenders.all(|spender| spender.outputs().all(to_place))
    }

    /// Notes when the tags of services hold, where they do not always.
    fn date(&mut self, tagged: &[(AddressIndex, Vec<&Tag>)]) {
        let span = |tag: &&&Tag| Span { since: tag.since, until: tag.until };
        let mut spans: Vec<Vec<Span>> = vec![Vec::new(); self.services.len()];
        let mut own: BTreeMap<usize, Vec<Span>> = BTreeMap::new();
        for (address, tags) in tagged {
            if let Some(of) = spans.get_mut(id::at(self.service_of(*address))) {
                let its: Vec<Span> = tags.iter().filter(|tag| tag.names_service()).map(|tag| span(&tag)).collect();
                of.extend(&its);
                own.insert(address.at(), its);
            }
        }
        let homes = self.of.iter().enumerate().map(|(at, place)| (at, self.service[id::at(*place)]));
        let homes = homes.filter(|(_, service)| *service != NONE);
        let dated = homes.map(|(at, service)| (at, own.get(&at).unwrap_or(&spans[id::at(service)])));
        self.days = Days::of(dated.map(|(at, spans)| (AddressIndex::of(at), spans.as_slice())));
    }

    /// The service that an address is known to be of.
    pub(super) fn service_of(&self, address: AddressIndex) -> u32 {
        self.service[id::at(self.of[address.at()])]
    }

    /// The place of an address.
    fn place_of(&self, address: Option<AddressIndex>) -> u32 {
        address.and_then(|address| self.of.get(address.at())).copied().unwrap_or(NONE)
    }

    /// The place that an output pays: that of its address, unless no tag held of it on that day.
    pub(super) fn paid_by(&self, output: Output<'_>) -> u32 {
        let address = output.address_index();
        if self.days.hold(address, output.tx()) { self.place_of(address) } else { self.lapsed }
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

/// True when a tag holds on the day of some payment to an address, or such a day is not known.
fn holds_once(view: View<'_>, address: AddressIndex, tags: &[&Tag]) -> bool {
    let spans: Vec<Span> = tags.iter().map(|tag| Span { since: tag.since, until: tag.until }).collect();
    let days = Days::of([(address, spans.as_slice())]);
    view.outputs_of(address).iter().any(|output| days.hold(Some(address), view.output(output).tx()))
}
