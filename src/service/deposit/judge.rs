//! Each candidate against the rules, with what they looked at.

use bitcoin::Amount;

use super::learn::Learned;
use super::moves::{Form, Moves, payers};
use super::places::{NONE, Places};
use super::{ALIKE_MIN, Deposit, Terms, grade};
use crate::chain::{Output, Tx, View};
use crate::detect::{Confidence, Verdict, coinjoin};
use crate::id::{self, AddressIndex, TxIndex};
use crate::par;
use crate::service::hot_wallet::How;

/// What a sweep shows, the same for all its inputs.
#[derive(Clone, Copy, Default)]
struct Fact {
    /// Different addresses that it spends from and that are not the service's.
    payers: u32,
    /// It spends from an address of the service too.
    cosigned: bool,
    /// More than half of the addresses that it spends from are neither the service's nor such as hand on to it, or an input has none.
    strangers: bool,
    /// What part of it goes to the service, in parts of a million.
    share_ppm: u32,
    /// All of it goes to the service, over two addresses or more.
    dealt: bool,
}

struct Judge<'s, 'c> {
    view: View<'c>,
    places: &'s Places,
    moves: &'s Moves,
    depositor: &'s [u32],
    terms: &'s Terms,
    /// By address: some spend goes to the service.
    anchored: Vec<bool>,
    /// By form: it goes nowhere known, but half of the addresses that it spends from, and two at least, are anchored in one service, which so has all their keys.
    own: Vec<bool>,
    /// By address: every spend goes to the service, as far as can be told.
    one_way: Vec<bool>,
    /// By form.
    facts: Vec<Fact>,
    /// By place: how it was learned, where it was.
    how: Vec<Option<How>>,
}

/// Judges every address that hands coins to a service; those that pass, in chain order.
pub(super) fn judge(view: View<'_>, places: &Places, moves: &Moves, learned: &Learned, terms: &Terms) -> Vec<Deposit> {
    let depositor = &learned.depositor;
    let candidates: Vec<AddressIndex> = (0..depositor.len())
        .map(AddressIndex::of)
        .filter(|address| depositor[address.at()] != NONE && places.service_of(*address) == NONE)
        .collect();
    let mut judge = Judge {
        view,
        places,
        moves,
        depositor,
        terms,
        anchored: vec![false; depositor.len()],
        own: Vec::new(),
        one_way: vec![false; depositor.len()],
        facts: Vec::new(),
        how: vec![None; places.service.len()],
    };
    for (place, how) in &learned.places {
        judge.how[id::at(*place)] = Some(*how);
    }
    for address in &candidates {
        let service = depositor[address.at()];
        judge.anchored[address.at()] = moves.from(address.to_u32()).any(|at| judge.is_to(at, service));
    }
    let forms: Vec<u32> = (0..id::small(moves.forms.len())).collect();
    judge.own = par::map(&forms, |at| judge.is_own(*at));
    for address in &candidates {
        let service = depositor[address.at()];
        let goes = |at: u32| judge.is_to(at, service) || judge.is_open(at) || judge.own[id::at(at)];
        judge.one_way[address.at()] = moves.from(address.to_u32()).all(goes);
    }
    judge.facts = par::map(&forms, |at| judge.fact(*at));
    let mut found: Vec<Deposit> = par::map(&candidates, |address| judge.one(*address)).into_iter().flatten().collect();
    judge.compare(&mut found);
    found.iter_mut().for_each(|deposit| decide(deposit, terms));
    found
}

fn is_single(deposit: &Deposit) -> bool {
    deposit.siblings == 0 && deposit.dealt == 0 && !deposit.cosigned
}

/// Rule 3, and the grade.
fn decide(deposit: &mut Deposit, terms: &Terms) {
    let quick = deposit.delay.is_some_and(|blocks| blocks < terms.delay_max) || deposit.dealt > 0;
    // Two sweeps are no more than a wallet that forwards what it gets.
    let told = deposit.siblings > 0 || deposit.alike >= ALIKE_MIN || deposit.dealt > 0 || deposit.cosigned;
    let bits = grade::bits(deposit, terms.delay_max);
    deposit.confidence = grade::confidence(bits);
    deposit.verdict = if quick && told && bits > 0 { Verdict::Yes } else { Verdict::Undecided };
}

impl Judge<'_, '_> {
    fn is_to(&self, form: u32, service: u32) -> bool {
        self.places.service[id::at(self.moves.form(form).to)] == service
    }

    /// It pays a place of which nothing is known, and nothing spends it there.
    fn is_open(&self, at: u32) -> bool {
        let Form { to, open, .. } = self.moves.form(at);
        open && self.places.service[id::at(to)] == NONE && !self.places.strangers.contains(&to)
    }

    /// Counts, for each of those found, others of its service: such as its fullest sweep does not spend from, and such as are swept alone like it.
    fn compare(&self, found: &mut [Deposit]) {
        let (mut all, mut single) = (vec![0_u32; self.places.services.len()], vec![0_u32; self.places.services.len()]);
        let mut swept = vec![0_u32; self.moves.forms.len()];
        let sweeps = |deposit: &Deposit| {
            let service = deposit.service;
            self.moves.from(deposit.address.to_u32()).filter(move |at| self.is_to(*at, service)).map(id::at)
        };
        for deposit in &*found {
            all[id::at(deposit.service)] += 1;
            single[id::at(deposit.service)] += u32::from(is_single(deposit));
            sweeps(deposit).for_each(|at| swept[at] += 1);
        }
        for deposit in found {
            let fullest = sweeps(deposit).map(|at| swept[at]).max().unwrap_or(0);
            deposit.outside = all[id::at(deposit.service)] - fullest;
            if is_single(deposit) {
                deposit.alike = single[id::at(deposit.service)] - 1;
            }
        }
    }

    fn is_own(&self, at: u32) -> bool {
        let form = self.moves.form(at);
        let anchored = |address: &AddressIndex| self.anchored[address.at()];
        let tx = self.view.tx(form.tx);
        // Most are told by their first input.
        let first = tx.inputs().next().and_then(|input| input.address_index());
        let known = self.places.service[id::at(form.to)] != NONE || self.places.strangers.contains(&form.to);
        if known || !first.as_ref().is_some_and(anchored) {
            return false;
        }
        let (from, whole) = payers(tx);
        let service = first.map_or(NONE, |first| self.depositor[first.at()]);
        let fits = from.iter().filter(|from| anchored(from) && self.depositor[from.at()] == service).count();
        whole && fits > 1 && fits * 2 >= from.len()
    }

    fn fact(&self, at: u32) -> Fact {
        let form = self.moves.form(at);
        let service = self.places.service[id::at(form.to)];
        if service == NONE {
            return Fact::default();
        }
        let tx = self.view.tx(form.tx);
        let (from, whole) = payers(tx);
        let fits = |address: &&AddressIndex| {
            let hands_on = self.one_way[address.at()] && self.depositor[address.at()] == service;
            hands_on || self.places.service_of(**address) == service
        };
        let (mut to, mut total, mut paid, mut all) = (0_u128, 0_u128, Vec::new(), true);
        for output in tx.outputs() {
            let sat = output.value().map_or(0, |value| u128::from(value.to_sat()));
            total += sat;
            let place = self.places.paid_by(output);
            if place != NONE && self.places.service[id::at(place)] == service {
                to += sat;
                paid.push(output.address_index());
            } else {
                all = false;
            }
        }
        paid.sort_unstable();
        paid.dedup();
        let others = from.iter().filter(|from| self.places.service_of(**from) != service).count();
        let share = u32::try_from(to * 1_000_000 / total.max(1)).unwrap_or(1_000_000);
        Fact {
            payers: id::small(others),
            cosigned: others < from.len(),
            strangers: !whole || from.iter().filter(fits).count() * 2 < from.len(),
            share_ppm: share,
            dealt: all && paid.len() > 1,
        }
    }

    /// Rules 1, 2 and 4.
    fn one(&self, address: AddressIndex) -> Option<Deposit> {
        let service = self.depositor[address.at()];
        if !self.one_way[address.at()] {
            return None;
        }
        let mut deposit = Deposit::new(address, service);
        let mut swept: Vec<TxIndex> = Vec::new();
        let (mut direct, mut handed) = (false, false);
        for at in self.moves.from(address.to_u32()).filter(|at| self.is_to(*at, service)) {
            let (fact, form) = (self.facts[id::at(at)], self.moves.form(at));
            if fact.strangers {
                return None;
            }
            deposit.sweeps += 1;
            deposit.siblings = deposit.siblings.max(fact.payers.saturating_sub(1));
            deposit.share_ppm = deposit.share_ppm.min(fact.share_ppm);
            deposit.dealt += u32::from(fact.dealt);
            deposit.cosigned |= fact.cosigned;
            match self.how[id::at(form.to)] {
                Some(How::Collecting) => deposit.collected = true,
                Some(_) => handed = true,
                None => direct = true,
            }
            swept.push(form.tx);
        }
        if swept.is_empty() {
            return None;
        }
        deposit.collected &= !direct && !handed;
        deposit.learned = handed && !direct;
        self.receipts(&mut deposit, &swept)?;
        Some(deposit)
    }

    /// What it received, from whom, and how soon it was swept; `None` where the service pays it, or a mix does.
    fn receipts(&self, deposit: &mut Deposit, swept: &[TxIndex]) -> Option<()> {
        let (mut payers, mut delays) = (Vec::new(), Vec::new());
        for output in self.view.outputs_of(deposit.address).iter().map(|output| self.view.output(output)) {
            let tx = output.tx();
            if self.is_of_service(tx, deposit.service) || coinjoin::is_mix(tx, self.terms.mix) {
                return None;
            }
            deposit.receipts += 1;
            payers.push(tx.inputs().next().and_then(|input| input.address_index()));
            let value = output.value().unwrap_or(Amount::ZERO);
            match output.spender() {
                None => deposit.waiting += value,
                Some(spender) if swept.binary_search(&spender.index()).is_ok() => {
                    deposit.swept += value;
                    delays.extend(delay(output, spender));
                }
                Some(_) => deposit.open += value,
            }
        }
        payers.sort_unstable();
        payers.dedup();
        deposit.payers = id::small(payers.iter().flatten().count());
        delays.sort_unstable();
        deposit.delay = delays.get(delays.len().saturating_sub(1) / 2).copied();
        Some(())
    }

    fn is_of_service(&self, tx: Tx<'_>, service: u32) -> bool {
        tx.inputs().filter_map(|input| input.address_index()).any(|from| self.places.service_of(from) == service)
    }
}

fn delay(output: Output<'_>, spender: Tx<'_>) -> Option<u32> {
    spender.height()?.to_u32().checked_sub(output.tx().height()?.to_u32())
}

/// Takes back learned places that too few of those found hand coins to; true where there was one.
pub(super) fn unlearn(
    view: View<'_>,
    places: &mut Places,
    moves: &Moves,
    learned: &mut Learned,
    found: &[Deposit],
    terms: &Terms,
) -> bool {
    let is_found = |address: AddressIndex, service: u32| {
        let at = found.binary_search_by_key(&address, |deposit| deposit.address);
        at.is_ok_and(|at| found[at].service == service)
    };
    let before = learned.places.len();
    let mut kept = Vec::with_capacity(before);
    for (place, how) in learned.places.drain(..) {
        let service = places.service[id::at(place)];
        let mut from: Vec<AddressIndex> = Vec::new();
        for form in moves.into(place) {
            from.extend(payers(view.tx(moves.form(form).tx)).0.into_iter().filter(|from| is_found(*from, service)));
        }
        from.sort_unstable();
        from.dedup();
        if from.len() >= id::at(terms.depositors_min) {
            kept.push((place, how));
        } else {
            places.service[id::at(place)] = NONE;
        }
    }
    learned.places = kept;
    learned.places.len() < before
}

impl Deposit {
    pub(super) fn new(address: AddressIndex, service: u32) -> Self {
        Self {
            address,
            service,
            sweeps: 0,
            siblings: 0,
            alike: 0,
            receipts: 0,
            payers: 0,
            delay: None,
            share_ppm: 1_000_000,
            swept: Amount::ZERO,
            open: Amount::ZERO,
            waiting: Amount::ZERO,
            dealt: 0,
            cosigned: false,
            outside: 0,
            learned: false,
            collected: false,
            verdict: Verdict::Undecided,
            confidence: Confidence::default(),
        }
    }
}
