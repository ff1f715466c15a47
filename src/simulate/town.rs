//! The state of a world, and the one way in which it changes: a transaction is committed.

use std::collections::VecDeque;

use super::coins::{Calendar, Coin, Coins, Event};
use super::custodian::{Claim, Custodian, Held};
use super::fee::input_size;
use super::mix::Mixes;
use super::plan::{Form, Lock, NO_SLOT, PlannedBlock, PlannedHandover, PlannedInput, PlannedOutput, PlannedTx};
use super::quota::Quota;
use super::rng::Rng;
use super::thief::Thief;
use super::wallet::{ChangeTo, Habit, Keeper, Order, Wallet};
use crate::id;
use crate::truth::{Account, Entity, EntityKind, Kind, OutputTruth, Role, Stolen};

/// Nobody makes an output that costs more to spend than it is worth.
pub(super) const DUST: u64 = 600;
/// A coinbase can be spent 100 blocks later.
const MATURITY: u32 = 100;
/// So many coins of a wallet are looked at when the time for a new one is chosen.
const SESSIONS: usize = 24;
/// Blocks are filled up to this many weight units: below the limit of 4,000,000, for sizes are estimated here.
const BLOCK_WEIGHT: u64 = 3_600_000;

/// A transaction that an agent wants made.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) kind: Kind,
    /// The wallet whose software makes it.
    pub(super) by: u32,
    pub(super) inputs: Vec<u32>,
    pub(super) outs: Vec<Out>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Out {
    pub(super) sat: u64,
    /// Whose it is.
    pub(super) wallet: Option<u32>,
    pub(super) lock: Lock,
    pub(super) role: Role,
    pub(super) account: Option<u32>,
    /// The entity whose inputs pay for it: its loot goes there.
    pub(super) payer: u32,
    /// Loot that comes out of a custodian's books.
    pub(super) loot: Option<Stolen>,
    pub(super) rounds: u32,
}

#[derive(Debug)]
pub(super) struct Town {
    pub(super) seed: u64,
    pub(super) spec: super::WorldSpec,
    pub(super) height: u32,
    pub(super) time: u32,
    /// Transactions so far, coinbases not counted.
    pub(super) txs: u64,
    events: u64,
    /// The block that is being filled.
    block: Vec<PlannedTx>,
    handovers: Vec<PlannedHandover>,
    weight: u64,
    fees: u64,
    /// The slot of this block's coinbase.
    reward: u32,
    pub(super) coins: Coins,
    pub(super) calendar: Calendar,
    pub(super) wallets: Vec<Wallet>,
    entities: u32,
    new_entities: Vec<Entity>,
    pub(super) accounts: Vec<Held>,
    new_accounts: Vec<Account>,
    kept: u32,
    /// The wallets of users.
    pub(super) users: Vec<u32>,
    pub(super) merchants: Vec<u32>,
    pub(super) custodians: Vec<Custodian>,
    pub(super) claims: Vec<Claim>,
    pub(super) free_claims: Vec<u32>,
    pub(super) pools: Vec<u32>,
    pub(super) dice: Vec<u32>,
    pub(super) mixes: Mixes,
    pub(super) thieves: Vec<Thief>,
    pub(super) thefts_begun: usize,
    /// Of each theft that happened its thief's place.
    pub(super) thefts: Vec<u32>,
    pub(super) outputs_quota: Quota<3>,
    pub(super) inputs_quota: Quota<3>,
    /// Satoshis a virtual byte, in thousandths.
    pub(super) rate: u64,
    epoch_rate: u64,
    /// Transactions in each of the last blocks.
    recent: VecDeque<u32>,
}

impl Town {
    pub(super) fn new(spec: super::WorldSpec, seed: u64) -> Self {
        let mut town = Self {
            seed,
            height: 0,
            time: 1_600_000_000,
            txs: 0,
            events: 0,
            block: Vec::new(),
            handovers: Vec::new(),
            weight: 0,
            fees: 0,
            reward: NO_SLOT,
            coins: Coins::default(),
            calendar: Calendar::default(),
            wallets: Vec::new(),
            entities: 0,
            new_entities: Vec::new(),
            accounts: Vec::new(),
            new_accounts: Vec::new(),
            kept: 0,
            users: Vec::new(),
            merchants: Vec::new(),
            custodians: Vec::new(),
            claims: Vec::new(),
            free_claims: Vec::new(),
            pools: Vec::new(),
            dice: Vec::new(),
            mixes: Mixes::default(),
            thieves: Vec::new(),
            thefts_begun: 0,
            thefts: Vec::new(),
            // One, two, and three or more outputs; inputs of those with two outputs (Moeser's notebooks).
            outputs_quota: Quota::new([139_000, 758_000, 103_000]),
            inputs_quota: Quota::new([788_000, 136_000, 76_000]),
            rate: 8_000,
            epoch_rate: 8_000,
            recent: VecDeque::new(),
            spec,
        };
        town.found();
        town
    }

    /// A stream of chance for one event of one agent.
    pub(super) fn rng(&mut self, agent: u32) -> Rng {
        self.events += 1;
        Rng::new(self.seed, u64::from(agent), self.events)
    }

    /// How much of the world is over, in thousandths of its transactions.
    pub(super) fn past(&self) -> u32 {
        let past = self.txs * 1000 / self.spec.txs.max(1);
        u32::try_from(past.min(1000)).unwrap_or(1000)
    }

    pub(super) fn entity(&mut self, kind: EntityKind, name: String) -> u32 {
        let index = self.entities;
        self.entities += 1;
        self.new_entities.push(Entity { index, kind, name });
        index
    }

    pub(super) fn wallet(&mut self, owner: u32, habit: Habit, keeper: Keeper) -> u32 {
        self.wallets.push(Wallet {
            owner,
            habit,
            keeper,
            coins: Vec::new(),
            sat: 0,
            kept: Vec::new(),
            accounts: Vec::new(),
        });
        id::small(self.wallets.len() - 1)
    }

    pub(super) fn of(&self, wallet: u32) -> &Wallet {
        &self.wallets[id::at(wallet)]
    }

    pub(super) fn new_kept(&mut self) -> u32 {
        self.kept += 1;
        self.kept - 1
    }

    pub(super) fn new_account(&mut self, service: u32, customer: u32, held: Held) -> u32 {
        let index = id::small(self.accounts.len());
        self.accounts.push(held);
        self.new_accounts.push(Account { index, service, customer });
        index
    }

    pub(super) fn sat(&self, slots: &[u32]) -> u64 {
        slots.iter().map(|slot| self.coins.get(*slot).sat).sum()
    }

    /// An address of a wallet to be paid to: one that it has, or a new one.
    pub(super) fn address(&mut self, wallet: u32) -> Lock {
        let habit = self.of(wallet).habit;
        match habit.addresses {
            0 => Lock::Fresh(habit.form),
            1 => self.kept_address(wallet),
            _ => self.any_kept_address(wallet),
        }
    }

    /// The address of a wallet that stays the same.
    pub(super) fn kept_address(&mut self, wallet: u32) -> Lock {
        self.nth_kept_address(wallet, 0)
    }

    /// One of the addresses that a wallet has.
    fn any_kept_address(&mut self, wallet: u32) -> Lock {
        let addresses = id::at(self.of(wallet).habit.addresses);
        let nth = self.rng(wallet).place(addresses);
        self.nth_kept_address(wallet, nth)
    }

    fn nth_kept_address(&mut self, wallet: u32, nth: usize) -> Lock {
        while self.of(wallet).kept.len() <= nth {
            let kept = self.new_kept();
            self.wallets[id::at(wallet)].kept.push(kept);
        }
        Lock::Kept(self.of(wallet).kept[nth], self.of(wallet).habit.form)
    }

    /// An output to a wallet, paid for by an entity.
    pub(super) fn out(&mut self, sat: u64, wallet: u32, role: Role, payer: u32) -> Out {
        let lock = self.address(wallet);
        Out { sat, wallet: Some(wallet), lock, role, account: None, payer, loot: None, rounds: 0 }
    }

    /// Change to the wallet that pays, where its software puts it.
    pub(super) fn change(&mut self, sat: u64, wallet: u32) -> Out {
        let (owner, habit) = (self.of(wallet).owner, self.of(wallet).habit);
        let lock = match habit.change {
            ChangeTo::Back => Lock::OfInput(0),
            ChangeTo::Fresh => Lock::Fresh(habit.form),
            ChangeTo::Kept => self.address(wallet),
        };
        Out { sat, wallet: Some(wallet), lock, role: Role::Change, account: None, payer: owner, loot: None, rounds: 0 }
    }

    pub(super) fn data(bytes: u8, payer: u32) -> Out {
        let lock = Lock::Data(bytes);
        Out { sat: 0, wallet: None, lock, role: Role::Data, account: None, payer, loot: None, rounds: 0 }
    }

    /// True when no more fits into this block.
    pub(super) fn is_full(&self) -> bool {
        self.weight > BLOCK_WEIGHT
    }

    /// Makes the transaction and returns the slots of its outputs as they were listed.
    pub(super) fn commit(&mut self, mut draft: Draft) -> Vec<u32> {
        for out in &mut draft.outs {
            // Nobody pays change to an address whose key somebody else has too.
            if let Lock::OfInput(vin) = out.lock
                && self.coins.get(draft.inputs[id::at(vin)]).handed
            {
                out.lock = Lock::Fresh(self.coins.get(draft.inputs[id::at(vin)]).form);
            }
        }
        let mut rng = self.rng(draft.by);
        let habit = self.of(draft.by).habit;
        let (paid_in, paid_out) = (self.sat(&draft.inputs), draft.outs.iter().map(|out| out.sat).sum::<u64>());
        debug_assert!(paid_in >= paid_out && !draft.inputs.is_empty(), "{draft:?}");
        let fee = paid_in.saturating_sub(paid_out);
        self.fees += fee;
        self.weight += self.weigh(&draft);
        self.count(&draft);
        let loot = self.divide_loot(&draft);
        let order = order(habit.order, &draft.outs, &mut rng);
        let sequence = match (habit.replaceable, habit.locks) {
            (true, _) => 0xffff_fffd,
            (false, true) => 0xffff_fffe,
            (false, false) => 0xffff_ffff,
        };
        let inputs: Vec<PlannedInput> =
            draft.inputs.iter().map(|slot| PlannedInput { slot: *slot, sequence, low_r: habit.low_r }).collect();
        for slot in &draft.inputs {
            self.unlist(*slot);
        }
        let mut slots = vec![NO_SLOT; draft.outs.len()];
        let mut outputs = Vec::with_capacity(draft.outs.len());
        for at in order {
            let (out, stolen) = (draft.outs[at], loot[at]);
            let slot = self.receive(&out, stolen, &draft.inputs);
            slots[at] = slot;
            let owner = out.wallet.map(|wallet| self.of(wallet).owner);
            let truth = OutputTruth { owner, role: Some(out.role), account: out.account, stolen };
            outputs.push(PlannedOutput { slot, sat: out.sat, lock: out.lock, truth });
        }
        for slot in &draft.inputs {
            self.coins.free(*slot);
        }
        let lock_time = if habit.locks { self.height - 1 } else { 0 };
        self.block.push(PlannedTx { kind: draft.kind, version: habit.version, lock_time, inputs, outputs });
        self.txs += 1;
        for (at, out) in draft.outs.iter().enumerate() {
            self.arrived(slots[at], out, loot[at], &mut rng);
        }
        slots
    }

    pub(super) fn unlist(&mut self, slot: u32) {
        let wallet = self.coins.get(slot).wallet;
        let (sat, listed) = (self.coins.get(slot).sat, self.coins.is_listed(slot));
        let wallet = &mut self.wallets[id::at(wallet)];
        wallet.sat -= if listed { sat } else { 0 };
        self.coins.unlist(slot, &mut wallet.coins);
    }

    pub(super) fn list(&mut self, slot: u32) {
        let wallet = self.coins.get(slot).wallet;
        let sat = self.coins.get(slot).sat;
        let wallet = &mut self.wallets[id::at(wallet)];
        wallet.sat += sat;
        self.coins.list(slot, &mut wallet.coins);
    }

    /// Lets a coin change hands without a transaction.
    pub(super) fn hand_over(&mut self, slot: u32, to: u32, account: u32, stolen: Option<Stolen>) {
        self.unlist(slot);
        let coin = self.coins.get_mut(slot);
        (coin.wallet, coin.loot, coin.account, coin.handed) = (to, stolen, Some(account), true);
        self.list(slot);
        let to = self.of(to).owner;
        self.handovers.push(PlannedHandover { slot, to, account: Some(account), stolen });
    }

    /// Puts an output into a slot and on its wallet's list.
    fn receive(&mut self, out: &Out, stolen: Option<Stolen>, inputs: &[u32]) -> u32 {
        let Some(wallet) = out.wallet else { return NO_SLOT };
        let form = match out.lock {
            Lock::Fresh(form) | Lock::Kept(_, form) => form,
            Lock::OfInput(vin) => self.coins.get(inputs[id::at(vin)]).form,
            Lock::Data(_) | Lock::Lost => return NO_SLOT,
        };
        let mut coin = Coin::new(out.sat, wallet, self.height, form);
        (coin.account, coin.rounds) = (out.account, out.rounds);
        // What has left the thief's hands is loot no more, whatever it was when it was paid.
        let thief = stolen.map(|stolen| self.thieves[id::at(self.thefts[id::at(stolen.theft)])].entity);
        coin.loot = stolen.filter(|_| thief == Some(self.of(wallet).owner));
        let slot = self.coins.put(coin);
        self.list(slot);
        slot
    }

    /// Says for each output how much of it is loot: each payer's outputs get its loot in the order listed.
    fn divide_loot(&self, draft: &Draft) -> Vec<Option<Stolen>> {
        let mut left: Vec<(u32, Stolen)> = Vec::new();
        for slot in &draft.inputs {
            let coin = self.coins.get(*slot);
            let Some(loot) = coin.loot else { continue };
            let owner = self.of(coin.wallet).owner;
            match left.iter_mut().find(|(payer, stolen)| *payer == owner && stolen.theft == loot.theft) {
                Some((_, stolen)) => stolen.sat += loot.sat,
                None => left.push((owner, loot)),
            }
        }
        let give = |out: &Out| {
            if out.loot.is_some() {
                return out.loot;
            }
            let (_, stolen) = left.iter_mut().find(|(payer, stolen)| *payer == out.payer && stolen.sat > 0)?;
            let sat = stolen.sat.min(out.sat);
            stolen.sat -= sat;
            Some(Stolen { theft: stolen.theft, sat }).filter(|stolen| stolen.sat > 0)
        };
        draft.outs.iter().map(give).collect()
    }

    fn weigh(&self, draft: &Draft) -> u64 {
        let inputs: u64 = draft.inputs.iter().map(|slot| input_size(self.coins.get(*slot).form)).sum();
        4 * (11 + inputs + 45 * id::number(draft.outs.len()))
    }

    fn count(&mut self, draft: &Draft) {
        let class = draft.outs.len().clamp(1, 3) - 1;
        self.outputs_quota.count(class);
        if class == 1 {
            self.inputs_quota.count(draft.inputs.len().clamp(1, 3) - 1);
        }
    }

    /// Tells whoever keeps the wallet that a coin arrived.
    fn arrived(&mut self, slot: u32, out: &Out, stolen: Option<Stolen>, rng: &mut Rng) {
        let Some(wallet) = out.wallet else { return };
        if slot == NO_SLOT {
            return;
        }
        if out.role == Role::Deposit
            && let Some(account) = out.account
        {
            self.deposited(account, out.sat, stolen, rng);
        }
        match self.of(wallet).keeper {
            Keeper::User if out.role != Role::Premix => self.note_due(slot, rng),
            Keeper::Dice => self.bet(slot),
            _ => {}
        }
    }

    /// Notes when a user's coin falls due; some never do.
    pub(super) fn note_due(&mut self, slot: u32, rng: &mut Rng) {
        let coin = self.coins.get(slot);
        if coin.sat < 2 * DUST || rng.chance(24_000) {
            return;
        }
        let generation = coin.generation;
        let due = self.session(slot, rng);
        self.coins.get_mut(slot).due = due;
        self.calendar.note(due, Event::Coin { slot, generation });
    }

    /// When a coin is to be spent: people sit down to pay for several things at once, so if the wallet has a coin that falls due at about
    /// that time, at the same time.
    fn session(&self, slot: u32, rng: &mut Rng) -> u32 {
        let delay = self.delay(rng);
        let (low, high) = (self.height.saturating_add(delay / 4 * 3), self.height.saturating_add(delay / 2 * 3));
        let coins = &self.of(self.coins.get(slot).wallet).coins;
        for _ in 0..coins.len().min(SESSIONS) {
            let other = rng.pick(coins);
            let due = self.coins.get(other).due;
            if other != slot && (low..=high).contains(&due) {
                return due;
            }
        }
        self.height.saturating_add(delay)
    }

    /// Ends the block: its coinbase, and what is said of it.
    pub(super) fn close_block(&mut self, subsidy: u64) -> PlannedBlock {
        let mut rng = self.rng(u32::MAX);
        let pool = self.pools[self.pool_of_block(&mut rng)];
        let reward = subsidy + self.fees;
        // Now and then a miner claims less than it may.
        let claimed = if rng.chance(2_000) { reward - rng.below(reward.min(5_000) + 1) } else { reward };
        let lock = self.kept_address(pool);
        let slot = self.reward;
        let generation = self.coins.get(slot).generation;
        let mut coin = Coin::new(claimed, pool, self.height, self.of(pool).habit.form);
        coin.generation = generation;
        *self.coins.get_mut(slot) = coin;
        if claimed > 0 {
            self.calendar.note(self.height + MATURITY, Event::Coin { slot, generation });
        }
        let truth =
            OutputTruth { owner: Some(self.of(pool).owner), role: Some(Role::Coinbase), account: None, stolen: None };
        let output = PlannedOutput { slot, sat: claimed, lock, truth };
        let coinbase =
            PlannedTx { kind: Kind::Coinbase, version: 2, lock_time: 0, inputs: Vec::new(), outputs: vec![output] };
        let made = id::small(self.block.len());
        let mut txs = Vec::with_capacity(self.block.len() + 1);
        txs.push(coinbase);
        txs.append(&mut self.block);
        (self.fees, self.weight) = (0, 0);
        self.recent.push_back(made);
        if self.recent.len() > 144 {
            self.recent.pop_front();
        }
        PlannedBlock {
            time: self.time,
            handovers: std::mem::take(&mut self.handovers),
            txs,
            entities: std::mem::take(&mut self.new_entities),
            accounts: std::mem::take(&mut self.new_accounts),
        }
    }

    /// Goes on to the next block: time passes and fees change.
    pub(super) fn next_block(&mut self) {
        let mut rng = self.rng(u32::MAX);
        self.height += 1;
        // The coinbase stands first in the block, so its slot is taken before any other of the block.
        let form = Form::P2pkh;
        self.reward = self.coins.put(Coin::new(0, 0, self.height, form));
        let wait = rng.exponential(600).clamp(1, 7_000);
        self.time = self.time.saturating_add(u32::try_from(wait).unwrap_or(600));
        if self.height.is_multiple_of(288) {
            self.epoch_rate = rng.lognormal(8_000, 800).clamp(1_000, 60_000);
        }
        self.rate = rng.lognormal(self.epoch_rate, 300).clamp(1_000, 90_000);
    }

    /// How many transactions a block had of late, in thousandths of what the world settles at.
    pub(super) fn pressure(&self) -> u32 {
        let sum: u64 = self.recent.iter().map(|txs| u64::from(*txs)).sum();
        let wanted = (id::number(self.recent.len().max(1)) * u64::from(self.spec.density)).max(1);
        u32::try_from((sum * 1_000_000 / wanted).min(20_000)).unwrap_or(20_000)
    }
}

/// The order in which outputs stand.
fn order(order: Order, outs: &[Out], rng: &mut Rng) -> Vec<usize> {
    let mut places: Vec<usize> = (0..outs.len()).collect();
    match order {
        Order::Random => rng.shuffle(&mut places),
        Order::ByValue => places.sort_by_key(|at| outs[*at].sat),
        Order::Descending => places.sort_by_key(|at| std::cmp::Reverse(outs[*at].sat)),
        Order::ChangeLast => places.sort_by_key(|at| outs[*at].role == Role::Change),
    }
    places
}
