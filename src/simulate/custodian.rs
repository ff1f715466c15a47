//! Those who hold other people's coins: exchanges, payment processors, custodial mixers, chip mixers.
//!
//! Each customer has an account. What is deposited is swept with the deposits of others; what is withdrawn comes from whatever is in the
//! hot wallet. Only the books say which withdrawal belongs to which deposit.

use std::collections::VecDeque;

use super::coins::Event;
use super::fee::input_size;
use super::plan::Lock;
use super::rng::Rng;
use super::town::{DUST, Draft, Out, Town};
use super::wallet::{ChangeTo, Habit, Keeper};
use crate::id;
use crate::truth::{EntityKind, Kind, Role, Stolen};

/// Nobody looks at more coins of a wallet than so many when some are chosen.
pub(super) const IN_SIGHT: usize = 1_000;
/// A custodian has so many addresses of its hot wallet at most.
const HOT_MAX: u64 = 30;
/// No deposit waits longer than so many blocks to be collected.
const PATIENCE: u32 = 144;

/// How a custodian collects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Collects {
    /// Many deposits at once.
    Together,
    /// Each deposit on its own.
    Singly,
    /// Many at once, to a collecting address first.
    Twice,
}

#[derive(Clone, Debug)]
pub(super) struct Custodian {
    pub(super) entity: u32,
    pub(super) kind: EntityKind,
    pub(super) deposits: u32,
    pub(super) collector: u32,
    pub(super) hot: u32,
    pub(super) cold: u32,
    pub(super) collects: Collects,
    /// A new address for each deposit.
    pub(super) fresh: bool,
    /// Deposits are collected when there are so many, or after so many blocks.
    pub(super) least: usize,
    pub(super) sweep_every: u32,
    pub(super) pay_every: u32,
    /// Withdrawals in one transaction at most.
    pub(super) batch: usize,
    pub(super) queue: VecDeque<Claim>,
    /// Kept for reserve in coins of their own: deposits are not paid out before everybody else's were.
    pub(super) hands_out_chips: bool,
}

/// A customer's account.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) custodian: u32,
    /// Where it is paid out to.
    pub(super) wallet: u32,
    pub(super) kept: Option<u32>,
    /// What becomes of the money: back to the customer, or sold.
    pub(super) comes_back: bool,
    /// What the customer has there, as far as it is not claimed yet.
    pub(super) sat: u64,
    pub(super) loot: Option<Stolen>,
}

/// What a custodian owes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) account: u32,
    pub(super) sat: u64,
    pub(super) loot: Option<Stolen>,
}

impl Town {
    pub(super) fn new_custodian(&mut self, kind: EntityKind, name: String, rng: &mut Rng) {
        let entity = self.entity(kind, name);
        let mixer = kind == EntityKind::Mixer;
        // An exchange has few addresses of its own beside those of its customers. A tenth of them takes a new one for each sweep and change,
        // and so do mixers.
        let rotates = mixer || rng.chance(100_000);
        let addresses = if rotates { 0 } else { u32::try_from(rng.between(1, HOT_MAX)).unwrap_or(1) };
        let mut wallet = |town: &mut Self, addresses: u32| {
            let mut habit = Habit::of_service(rng, 500);
            habit.addresses = addresses;
            if addresses > 0 && !rotates {
                habit.change = ChangeTo::Kept;
            }
            town.wallet(entity, habit, Keeper::Agent)
        };
        let deposits = wallet(self, 0);
        let collector = wallet(self, addresses.clamp(1, 3));
        let hot = wallet(self, addresses);
        let cold = wallet(self, addresses.clamp(1, 3));
        let at = id::small(self.custodians.len());
        let collects = match rng.below(10) {
            0..6 => Collects::Together,
            6..8 => Collects::Singly,
            _ => Collects::Twice,
        };
        let fresh = mixer || kind == EntityKind::Processor || rng.chance(200_000);
        let custodian = Custodian {
            entity,
            kind,
            deposits,
            collector,
            hot,
            cold,
            collects,
            fresh,
            least: if collects == Collects::Singly { 1 } else { id::at(rng.between(5, 25)) },
            sweep_every: u32::try_from(rng.between(6, 72)).unwrap_or(36),
            pay_every: u32::try_from(rng.between(1, 6)).unwrap_or(2),
            batch: if rng.chance(700_000) { id::at(rng.between(20, 100)) } else { 1 },
            queue: VecDeque::new(),
            hands_out_chips: false,
        };
        let first = self.height + 1 + u32::try_from(rng.below(20)).unwrap_or(0);
        self.calendar.note(first, Event::Sweep(at));
        self.calendar.note(first + 1, Event::Withdraw(at));
        self.custodians.push(custodian);
    }

    pub(super) fn custodian(&self, at: u32) -> &Custodian {
        &self.custodians[id::at(at)]
    }

    /// An account of a customer's, opened where there is none.
    pub(super) fn account_at(&mut self, at: u32, wallet: u32, comes_back: bool) -> u32 {
        let known = self.of(wallet).accounts.iter().find(|(custodian, _)| *custodian == at);
        if let Some((_, account)) = known {
            return *account;
        }
        let account = self.open_account(at, wallet, comes_back);
        self.wallets[id::at(wallet)].accounts.push((at, account));
        account
    }

    pub(super) fn open_account(&mut self, at: u32, wallet: u32, comes_back: bool) -> u32 {
        let (service, customer) = (self.custodian(at).entity, self.of(wallet).owner);
        self.new_account(service, customer, Held { custodian: at, wallet, kept: None, comes_back, sat: 0, loot: None })
    }

    /// An output that pays into an account.
    pub(super) fn credit(&mut self, sat: u64, account: u32, payer: u32) -> Out {
        let held = self.accounts[id::at(account)];
        let (deposits, fresh) = (self.custodian(held.custodian).deposits, self.custodian(held.custodian).fresh);
        let form = self.of(deposits).habit.form;
        let lock = if fresh {
            Lock::Fresh(form)
        } else {
            let kept = match held.kept {
                Some(kept) => kept,
                None => self.new_kept(),
            };
            self.accounts[id::at(account)].kept = Some(kept);
            Lock::Kept(kept, form)
        };
        let (wallet, account) = (Some(deposits), Some(account));
        Out { sat, wallet, lock, role: Role::Deposit, account, payer, loot: None, rounds: 0 }
    }

    /// A deposit by a user at the exchange or processor that it prefers.
    pub(super) fn deposit_out(&mut self, sat: u64, payer: u32, owner: u32, rng: &mut Rng) -> Out {
        let known = self.of(payer).accounts.iter().copied().find(|_| rng.chance(700_000));
        let usual = |custodian: &Custodian| matches!(custodian.kind, EntityKind::Exchange | EntityKind::Processor);
        let account = match known.filter(|(at, _)| usual(self.custodian(*at))) {
            Some((_, account)) => account,
            None => {
                let at = loop {
                    let at = rng.place(self.custodians.len());
                    if usual(&self.custodians[at]) {
                        break id::small(at);
                    }
                };
                let comes_back = rng.chance(650_000);
                self.account_at(at, payer, comes_back)
            }
        };
        self.credit(sat, account, owner)
    }

    /// Writes a deposit into the books, and what will become of it.
    pub(super) fn deposited(&mut self, account: u32, sat: u64, loot: Option<Stolen>, rng: &mut Rng) {
        let held = self.accounts[id::at(account)];
        let custodian = self.custodian(held.custodian);
        if custodian.kind == EntityKind::Mixer {
            return self.tumble(account, sat, loot, rng);
        }
        let held = &mut self.accounts[id::at(account)];
        held.sat += sat / 200 * 199;
        if let Some(loot) = loot {
            held.loot = Some(Stolen { sat: held.loot.map_or(0, |held| held.sat) + loot.sat, ..loot });
        }
        // Most wait until there is more.
        if loot.is_none() && !rng.chance(300_000) {
            return;
        }
        let (sat, loot) = (std::mem::take(&mut held.sat), held.loot.take());
        let delay = if loot.is_some() { rng.between(20, 400) } else { rng.lognormal(200, 1_700).min(100_000) };
        let delay = u32::try_from(delay).unwrap_or(1_000);
        let (account, loot) = if held.comes_back {
            (account, loot.map(|loot| Stolen { sat: loot.sat.min(sat), ..loot }))
        } else {
            // Sold: somebody else buys it and takes it out.
            let (custodian, buyer) = (held.custodian, self.someone(rng));
            (self.account_at(custodian, buyer, true), None)
        };
        self.claim(self.height + 1 + delay, Claim { account, sat, loot });
    }

    pub(super) fn claim(&mut self, height: u32, claim: Claim) {
        let at = if let Some(at) = self.free_claims.pop() {
            self.claims[id::at(at)] = claim;
            at
        } else {
            self.claims.push(claim);
            id::small(self.claims.len() - 1)
        };
        self.calendar.note(height, Event::Claim(at));
    }

    pub(super) fn claimed(&mut self, at: u32) {
        let claim = self.claims[id::at(at)];
        self.free_claims.push(at);
        let custodian = self.accounts[id::at(claim.account)].custodian;
        self.custodians[id::at(custodian)].queue.push_back(claim);
    }

    /// Collects deposits.
    pub(super) fn sweep(&mut self, at: u32) {
        let custodian = self.custodian(at).clone();
        self.calendar.note(self.height + custodian.sweep_every, Event::Sweep(at));
        let mut waiting = self.of(custodian.deposits).coins.clone();
        waiting.sort_unstable_by_key(|slot| (self.coins.get(*slot).height, *slot));
        let Some(oldest) = waiting.first().map(|slot| self.coins.get(*slot).height) else { return };
        let due = waiting.len() >= custodian.least || self.height - oldest >= PATIENCE;
        if !due || self.is_full() {
            return;
        }
        let each = if custodian.collects == Collects::Singly { 1 } else { 400 };
        for inputs in waiting.chunks(each) {
            if self.is_full() {
                return;
            }
            let fee = self.fee(custodian.deposits, inputs, 1);
            let Some(sat) = self.sat(inputs).checked_sub(fee).filter(|sat| *sat > DUST) else { continue };
            let to = if custodian.collects == Collects::Twice { custodian.collector } else { custodian.hot };
            let out = self.out(sat, to, Role::Sweep, custodian.entity);
            let slots = self.commit(Draft {
                kind: Kind::Sweep,
                by: custodian.deposits,
                inputs: inputs.to_vec(),
                outs: vec![out],
            });
            if custodian.collects == Collects::Twice {
                self.collect_again(&custodian, slots);
            }
        }
    }

    fn collect_again(&mut self, custodian: &Custodian, inputs: Vec<u32>) {
        let fee = self.fee(custodian.collector, &inputs, 1);
        let Some(sat) = self.sat(&inputs).checked_sub(fee).filter(|sat| *sat > DUST) else { return };
        let out = self.out(sat, custodian.hot, Role::Sweep, custodian.entity);
        self.commit(Draft { kind: Kind::Sweep, by: custodian.collector, inputs, outs: vec![out] });
    }

    /// Pays what is owed, as far as the hot wallet goes.
    pub(super) fn withdraw(&mut self, at: u32) {
        let (every, batch) = (self.custodian(at).pay_every, self.custodian(at).batch);
        self.calendar.note(self.height + every, Event::Withdraw(at));
        if self.custodian(at).hands_out_chips {
            let mut rng = self.rng(self.custodian(at).hot);
            return self.hand_out_chips(at, &mut rng);
        }
        while !self.custodian(at).queue.is_empty() && !self.is_full() {
            let queue = &mut self.custodians[id::at(at)].queue;
            let claims: Vec<Claim> =
                queue.drain(..batch.min(queue.len())).filter(|claim| claim.sat > 2 * DUST).collect();
            if !claims.is_empty() && !self.pay_claims(at, &claims) {
                let queue = &mut self.custodians[id::at(at)].queue;
                claims.into_iter().rev().for_each(|claim| queue.push_front(claim));
                break;
            }
        }
        self.balance_wallets(at);
    }

    /// False when there is not enough.
    fn pay_claims(&mut self, at: u32, claims: &[Claim]) -> bool {
        let custodian = self.custodian(at);
        let (hot, entity, kind) = (custodian.hot, custodian.entity, custodian.kind);
        let wanted: u64 = claims.iter().map(|claim| claim.sat).sum();
        let Some((inputs, fee)) = self.enough(hot, wanted + 2 * DUST, claims.len() + 1) else { return false };
        let mut outs = Vec::with_capacity(claims.len() + 1);
        for claim in claims {
            let wallet = self.accounts[id::at(claim.account)].wallet;
            let out = self.out(claim.sat, wallet, Role::Withdrawal, entity);
            outs.push(Out { account: Some(claim.account), loot: claim.loot, ..out });
        }
        let change = self.sat(&inputs) - wanted - fee;
        outs.push(self.change(change, hot));
        let kind = if kind == EntityKind::Mixer { Kind::MixerPayout } else { Kind::Withdrawal };
        self.commit(Draft { kind, by: hot, inputs, outs });
        true
    }

    /// Oldest coins of a wallet that are worth so much and the fee.
    pub(super) fn enough(&self, wallet: u32, wanted: u64, outputs: usize) -> Option<(Vec<u32>, u64)> {
        if self.of(wallet).sat < wanted {
            return None;
        }
        let mut coins: Vec<u32> = self.of(wallet).coins.iter().copied().take(IN_SIGHT).collect();
        coins.sort_unstable_by_key(|slot| (self.coins.get(*slot).height, *slot));
        let mut inputs = Vec::new();
        let (mut sat, mut size) = (0, 0);
        for slot in coins.into_iter().filter(|slot| self.coins.get(*slot).sat > DUST).take(600) {
            let coin = self.coins.get(slot);
            inputs.push(slot);
            sat += coin.sat;
            size += input_size(coin.form);
            let fee = self.fee_of_size(wallet, size, outputs);
            if sat >= wanted + fee {
                return Some((inputs, fee));
            }
        }
        None
    }

    /// Moves what is too much into the cold wallet, and what is missing out of it.
    fn balance_wallets(&mut self, at: u32) {
        let custodian = self.custodian(at);
        let (hot, cold, entity) = (custodian.hot, custodian.cold, custodian.entity);
        let owed: u64 = custodian.queue.iter().map(|claim| claim.sat).sum();
        let in_hot = self.of(hot).sat;
        let in_cold = self.of(cold).sat;
        let (from, to, sat) = if owed > 0 && in_cold > 4 * DUST {
            // Stuck: bring what is owed, or all there is.
            (cold, hot, (owed * 2).min(in_cold / 2))
        } else if owed == 0 && in_hot > in_cold + 20_000_000_000 {
            (hot, cold, (in_hot - in_cold) / 2)
        } else {
            return;
        };
        if sat <= 2 * DUST || self.is_full() {
            return;
        }
        let Some((inputs, fee)) = self.enough(from, sat + 2 * DUST, 2) else { return };
        let change = self.sat(&inputs) - sat - fee;
        let moved = self.out(sat, to, Role::Transfer, entity);
        let outs = vec![moved, self.change(change, from)];
        self.commit(Draft { kind: Kind::Refill, by: from, inputs, outs });
    }
}
