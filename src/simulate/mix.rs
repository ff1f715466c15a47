//! CoinJoins: who waits for one, and how each protocol makes its transaction.
//!
//! The shapes are the published ones (the design's sources: Whirlpool's pools and Tx0, Wasabi 1's common output of about 0.1 BTC with a
//! coordinator's fee, `WabiSabi`'s standard denominations, `JoinMarket`'s maker and taker outputs). Who takes part and when is our own.

use std::collections::VecDeque;

use super::coins::Event;
use super::plan::{Form, Lock};
use super::rng::Rng;
use super::spec::Stage;
use super::town::{DUST, Draft, Out, Town};
use super::wallet::{Habit, Keeper, Order};
use crate::id;
use crate::truth::{EntityKind, Kind, Role};

/// The pools of Whirlpool, in sat, and their flat entry fees.
const POOLS: [(u64, u64); 4] = [(100_000, 5_000), (1_000_000, 50_000), (5_000_000, 175_000), (50_000_000, 1_750_000)];
/// A Whirlpool mix has so many inputs and outputs.
const SEATS: usize = 5;

const WHIRLPOOL: u32 = 0;
const WASABI1: u32 = 1;
const WASABI2: u32 = 2;
const JOINMARKET: u32 = 3;

/// Who waits for which mix. A waiting coin is on no wallet's list.
#[derive(Debug, Default)]
pub(super) struct Mixes {
    /// The coordinators' wallets, by protocol.
    coordinators: Vec<u32>,
    /// For each pool of Whirlpool: who enters, and who goes another round.
    premix: [VecDeque<u32>; POOLS.len()],
    remix: [VecDeque<u32>; POOLS.len()],
    wasabi1: Vec<u32>,
    wasabi2: Vec<u32>,
    denominations: Vec<u64>,
    /// One coin in so many million that fall due goes to a mix.
    wish: u32,
}

/// The amounts that `WabiSabi` clients like to make: powers of 2 and of 3, twice the powers of 3, and 1, 2 and 5 times the powers
/// of 10, from 5,000 sat on.
fn denominations() -> Vec<u64> {
    let mut all: Vec<u64> = Vec::new();
    let powers =
        |base: u64| (0..40_u32).map_while(move |n| base.checked_pow(n)).take_while(|power| *power <= 100_000_000_000);
    all.extend(powers(2));
    all.extend(powers(3).flat_map(|power| [power, 2 * power]));
    all.extend(powers(10).flat_map(|power| [power, 2 * power, 5 * power]));
    all.retain(|amount| (5_000..=100_000_000_000).contains(amount));
    all.sort_unstable();
    all.dedup();
    all
}

impl Town {
    pub(super) fn found_mixes(&mut self, rng: &mut Rng) {
        for name in ["Whirlpool", "Wasabi 1", "Wasabi 2"] {
            let entity = self.entity(EntityKind::Coordinator, name.to_owned());
            let wallet = self.wallet(entity, Habit::of_mix(1), Keeper::Agent);
            self.mixes.coordinators.push(wallet);
            if name == "Wasabi 2" {
                self.wallets[id::at(wallet)].habit.order = Order::Descending;
            }
        }
        self.mixes.denominations = denominations();
        // A mix takes some ten coins, and one coin in two transactions falls due.
        self.mixes.wish = self.spec.coinjoins.saturating_mul(9).min(500_000);
        for kind in [WHIRLPOOL, WASABI1, WASABI2, JOINMARKET] {
            self.next_mix(kind, 500, rng);
        }
    }

    fn next_mix(&mut self, kind: u32, from: u32, rng: &mut Rng) {
        let every = match kind {
            WHIRLPOOL => 12,
            WASABI1 | WASABI2 => 24,
            // In a million transactions a quarter of the CoinJoins.
            _ => 4_000_000_000 / (u64::from(self.spec.density) * u64::from(self.spec.coinjoins.max(1))).max(1),
        };
        let height = u64::from(self.height.max(from)) + rng.exponential(every).max(1);
        self.calendar.note(u32::try_from(height).unwrap_or(u32::MAX / 2), Event::Mix(kind));
    }

    pub(super) fn mix(&mut self, kind: u32) {
        let mut rng = self.rng(u32::MAX - 16 - kind);
        self.next_mix(kind, 0, &mut rng);
        if self.is_full() {
            return;
        }
        match kind {
            WHIRLPOOL => self.whirlpools(&mut rng),
            WASABI1 => self.wasabi1(&mut rng),
            WASABI2 => self.wasabi2(&mut rng),
            _ => {
                let taker = self.someone(&mut rng);
                if let Some(coin) = self.of(taker).coins.first().copied() {
                    self.joinmarket(coin, &mut rng);
                }
            }
        }
    }

    /// A coin that falls due may go to a mix instead. Whoever was in a mix goes again more often.
    pub(super) fn wants_mix(&mut self, slot: u32, rng: &mut Rng) -> bool {
        let coin = self.coins.get(slot);
        let wish = if coin.rounds > 0 { 8_000 } else { self.mixes.wish };
        if coin.sat < 150_000 || !rng.chance(wish) {
            return false;
        }
        match rng.below(3) {
            0 => self.tx0(slot, 3, rng),
            1 if coin.sat > 11_000_000 => self.enter(slot, WASABI1),
            _ => self.enter(slot, WASABI2),
        }
    }

    /// These wallets hold native SegWit coins alone, so what is of another form is moved into one first.
    fn enter(&mut self, slot: u32, kind: u32) -> bool {
        let Some(slot) = self.as_p2wpkh(slot) else { return false };
        self.unlist(slot);
        if kind == WASABI1 {
            self.mixes.wasabi1.push(slot)
        } else {
            self.mixes.wasabi2.push(slot)
        }
        true
    }

    fn as_p2wpkh(&mut self, slot: u32) -> Option<u32> {
        let coin = *self.coins.get(slot);
        if coin.form == Form::P2wpkh && !coin.handed {
            return Some(slot);
        }
        if self.is_full() {
            return None;
        }
        let sat = coin.sat.checked_sub(self.fee(coin.wallet, &[slot], 1)).filter(|sat| *sat > DUST)?;
        let (lock, role) = (Lock::Fresh(Form::P2wpkh), Role::Transfer);
        let out = Out { lock, role, ..self.change(sat, coin.wallet) };
        let slots = self.commit(Draft { kind: Kind::Payment, by: coin.wallet, inputs: vec![slot], outs: vec![out] });
        slots.first().copied()
    }

    pub(super) fn enter_wasabi1(&mut self, slot: u32) -> bool {
        self.coins.get(slot).sat > 10_500_000 && self.enter(slot, WASABI1)
    }

    pub(super) fn enter_wasabi2(&mut self, slot: u32) -> bool {
        self.coins.get(slot).sat > 50_000 && self.enter(slot, WASABI2)
    }

    /// Takes a coin back out of whatever it waits for.
    pub(super) fn leave_mixes(&mut self, slot: u32) {
        let mixes = &mut self.mixes;
        mixes.wasabi1.retain(|waiting| *waiting != slot);
        mixes.wasabi2.retain(|waiting| *waiting != slot);
        mixes.premix.iter_mut().chain(&mut mixes.remix).for_each(|queue| queue.retain(|waiting| *waiting != slot));
    }

    /// How many coins of others wait where a thief waits.
    pub(super) fn crowd(&self, stage: Stage, thief: u32) -> usize {
        let others = |slot: &&u32| self.coins.get(**slot).wallet != thief;
        match stage {
            Stage::Wasabi1 => self.mixes.wasabi1.iter().filter(others).count(),
            Stage::Wasabi2 => self.mixes.wasabi2.iter().filter(others).count(),
            _ => self.pool_of(thief).map_or(0, |pool| self.mixes.premix[pool].iter().filter(others).count()),
        }
    }

    /// The greatest pool in which a wallet waits for its first mix.
    fn pool_of(&self, wallet: u32) -> Option<usize> {
        let waits = |slot: &u32| self.coins.get(*slot).wallet == wallet;
        (0..POOLS.len()).rfind(|pool| self.mixes.premix[*pool].iter().any(waits))
    }

    /// The coins of a wallet that wait for a mix.
    pub(super) fn waiting_of(&self, wallet: u32) -> Vec<u32> {
        let mixes = &self.mixes;
        let queues = mixes.premix.iter().chain(&mixes.remix).flatten();
        let all = queues.chain(&mixes.wasabi1).chain(&mixes.wasabi2);
        all.copied().filter(|slot| self.coins.get(*slot).wallet == wallet).collect()
    }

    /// Splits a coin for a Whirlpool; false when it is too small. `rounds` is how often the outputs will mix at most.
    pub(super) fn tx0(&mut self, slot: u32, rounds: u32, rng: &mut Rng) -> bool {
        let sat = self.coins.get(slot).sat;
        let pool = POOLS.iter().rposition(|(amount, fee)| amount * 5 / 2 + fee < sat);
        pool.is_some_and(|pool| self.tx0_of(slot, pool, rounds, rng))
    }

    /// Splits a coin for the pool in which a wallet waits, where it waits in one.
    pub(super) fn join_pool(&mut self, slot: u32, wallet: u32, rng: &mut Rng) -> bool {
        self.pool_of(wallet).is_some_and(|pool| self.tx0_of(slot, pool, 2, rng))
    }

    fn tx0_of(&mut self, slot: u32, pool: usize, rounds: u32, rng: &mut Rng) -> bool {
        let coin = *self.coins.get(slot);
        let (amount, entry) = POOLS[pool];
        if coin.sat <= amount * 5 / 2 + entry {
            return false;
        }
        let inputs = vec![slot];
        // What a first mix needs for its fee.
        let extra = rng.between(4, 40) * 50;
        let count = ((coin.sat - entry) / (amount + extra)).min(if pool == 3 { 30 } else { 12 });
        let fee = self.fee(coin.wallet, &inputs, id::at(count) + 3);
        let owner = self.of(coin.wallet).owner;
        let count = if count * (amount + extra) + entry + fee > coin.sat { count - 1 } else { count };
        let Some(left) = coin.sat.checked_sub(count * (amount + extra) + entry + fee).filter(|_| count > 0) else {
            return false;
        };
        let form = Form::P2wpkh;
        let premix = Out {
            sat: amount + extra,
            wallet: Some(coin.wallet),
            lock: Lock::Fresh(form),
            role: Role::Premix,
            account: None,
            payer: owner,
            loot: None,
            rounds: 0,
        };
        let mut outs = vec![premix; id::at(count)];
        outs.push(self.out(entry, self.mixes.coordinators[id::at(WHIRLPOOL)], Role::Fee, owner));
        if left > DUST {
            outs.push(Out { lock: Lock::Fresh(form), ..self.change(left, coin.wallet) });
        }
        outs.push(Self::data(64, owner));
        let slots = self.commit(Draft { kind: Kind::Tx0, by: coin.wallet, inputs, outs });
        for slot in slots.into_iter().take(id::at(count)) {
            self.unlist(slot);
            // Counted down from here.
            self.coins.get_mut(slot).rounds = rounds;
            self.mixes.premix[pool].push_back(slot);
        }
        true
    }

    /// Every pool mixes as long as five seats can be filled, one for each owner.
    fn whirlpools(&mut self, rng: &mut Rng) {
        for (pool, (amount, _)) in POOLS.into_iter().enumerate() {
            for _ in 0..6 {
                if self.is_full() || !self.whirlpool(pool, amount, rng) {
                    break;
                }
            }
        }
    }

    fn whirlpool(&mut self, pool: usize, amount: u64, rng: &mut Rng) -> bool {
        let mut seats: Vec<u32> = Vec::new();
        let mut owners: Vec<u32> = Vec::new();
        let mut new = 0;
        for (queue, most) in
            [(&self.mixes.premix[pool], 3), (&self.mixes.remix[pool], SEATS), (&self.mixes.premix[pool], SEATS)]
        {
            let mut taken = 0;
            for slot in queue {
                let owner = self.wallets[id::at(self.coins.get(*slot).wallet)].owner;
                if seats.len() < SEATS && taken < most && !owners.contains(&owner) && !seats.contains(slot) {
                    seats.push(*slot);
                    owners.push(owner);
                    taken += 1;
                    new += usize::from(self.coins.get(*slot).sat > amount);
                }
            }
        }
        // Newcomers pay the miner, so there must be one.
        if seats.len() < SEATS || new == 0 {
            return false;
        }
        for queue in [&mut self.mixes.premix[pool], &mut self.mixes.remix[pool]] {
            queue.retain(|slot| !seats.contains(slot));
        }
        let rounds: Vec<u32> = seats.iter().map(|slot| self.coins.get(*slot).rounds.saturating_sub(1)).collect();
        let wallets: Vec<u32> = seats.iter().map(|slot| self.coins.get(*slot).wallet).collect();
        let outs: Vec<Out> = wallets.iter().map(|wallet| self.mixed(amount, *wallet)).collect();
        rng.shuffle(&mut seats);
        let slots = self.commit_mix(Kind::Whirlpool, WHIRLPOOL, seats, outs);
        for (slot, rounds) in slots.into_iter().zip(rounds) {
            // Nearly every other round is the last.
            if rounds > 0 && rng.chance(550_000) {
                self.unlist(slot);
                self.coins.get_mut(slot).rounds = rounds;
                self.mixes.remix[pool].push_back(slot);
            } else {
                self.coins.get_mut(slot).rounds = 1;
            }
        }
        true
    }

    /// An output of a mix.
    fn mixed(&mut self, sat: u64, wallet: u32) -> Out {
        let (wallet, owner) = (Some(wallet), self.of(wallet).owner);
        let lock = Lock::Fresh(Form::P2wpkh);
        Out { sat, wallet, lock, role: Role::Mix, account: None, payer: owner, loot: None, rounds: 1 }
    }

    fn commit_mix(&mut self, kind: Kind, coordinator: u32, inputs: Vec<u32>, outs: Vec<Out>) -> Vec<u32> {
        let by = self.mixes.coordinators[id::at(coordinator)];
        self.commit(Draft { kind, by, inputs, outs })
    }

    /// Everybody gets one output of the common amount, and change; the coordinator takes a fee from each.
    fn wasabi1(&mut self, rng: &mut Rng) {
        let mut seats = std::mem::take(&mut self.mixes.wasabi1);
        if seats.len() < 12 {
            self.mixes.wasabi1 = seats;
            return;
        }
        self.mixes.wasabi1 = seats.split_off(seats.len().min(80));
        let common = 10_000_000 + rng.below(300_000);
        let (mut outs, mut taken) = (Vec::new(), Vec::new());
        let coordinator = self.mixes.coordinators[id::at(WASABI1)];
        let each = self.fee(coordinator, &seats[..1], 2);
        let cut = common * 3 / 100_000 * id::number(seats.len());
        for slot in seats {
            let coin = *self.coins.get(slot);
            let Some(left) = coin.sat.checked_sub(common + cut + each) else {
                self.list(slot);
                continue;
            };
            taken.push(slot);
            outs.push(self.mixed(common, coin.wallet));
            if left > 10 * DUST {
                outs.push(Out { lock: Lock::Fresh(Form::P2wpkh), ..self.change(left, coin.wallet) });
            }
        }
        if taken.len() < 3 {
            taken.into_iter().for_each(|slot| self.list(slot));
            return;
        }
        let owner = self.of(coordinator).owner;
        let paid = cut * id::number(taken.len());
        outs.push(self.out(paid, coordinator, Role::Fee, owner));
        rng.shuffle(&mut taken);
        self.commit_mix(Kind::Wasabi1, WASABI1, taken, outs);
    }

    /// Everybody's coins are divided into standard amounts, at most ten each.
    fn wasabi2(&mut self, rng: &mut Rng) {
        let mut seats = std::mem::take(&mut self.mixes.wasabi2);
        if seats.len() < 20 {
            self.mixes.wasabi2 = seats;
            return;
        }
        self.mixes.wasabi2 = seats.split_off(seats.len().min(150));
        seats.sort_unstable_by_key(|slot| (self.coins.get(*slot).wallet, *slot));
        let coordinator = self.mixes.coordinators[id::at(WASABI2)];
        let mut outs = Vec::new();
        for one in seats
            .chunk_by(|a, b| self.coins.get(*a).wallet == self.coins.get(*b).wallet)
            .map(<[u32]>::to_vec)
            .collect::<Vec<_>>()
        {
            let wallet = self.coins.get(one[0]).wallet;
            let fee = self.fee(coordinator, &one, 4);
            let mut left = self.sat(&one).saturating_sub(fee);
            let mut count = 0;
            let most = rng.between(2, 9);
            while count < most && left > 6_000 {
                let fits = self.mixes.denominations.partition_point(|amount| amount + 100 <= left);
                if fits == 0 {
                    break;
                }
                // Mostly the greatest that fits, sometimes one of the next.
                let back = if rng.chance(700_000) { 0 } else { rng.below(4) };
                let amount = self.mixes.denominations[fits.saturating_sub(1 + id::at(back))];
                outs.push(self.mixed(amount, wallet));
                left -= amount + 100;
                count += 1;
            }
            if left > 20_000 || count == 0 {
                let sat = left.max(DUST);
                outs.push(Out { lock: Lock::Fresh(Form::P2wpkh), ..self.change(sat, wallet) });
            }
        }
        // Both sides of a round are in order of value.
        seats.sort_by_key(|slot| std::cmp::Reverse(self.coins.get(*slot).sat));
        // More was promised than there is only where somebody came with next to nothing.
        if self.sat(&seats) <= outs.iter().map(|out| out.sat).sum() {
            seats.into_iter().for_each(|slot| self.list(slot));
            return;
        }
        self.commit_mix(Kind::Wasabi2, WASABI2, seats, outs);
    }

    /// A taker pays makers to join: as many equal outputs as there are owners, and everybody's change. False when too few have enough.
    pub(super) fn joinmarket(&mut self, slot: u32, rng: &mut Rng) -> bool {
        let taker = *self.coins.get(slot);
        let makers = 3 + rng.place(5);
        let amount = taker.sat / 100 * rng.between(40, 95);
        if amount < 100_000 {
            return false;
        }
        let mut owners = vec![self.of(taker.wallet).owner];
        let mut inputs = vec![slot];
        for _ in 0..600 {
            let wallet = self.someone(rng);
            let enough = |coin: &&u32| self.coins.get(**coin).sat > amount + 10 * DUST;
            let coin = self.of(wallet).coins.iter().find(enough).copied();
            if let Some(coin) = coin.filter(|coin| !inputs.contains(coin) && !owners.contains(&self.of(wallet).owner)) {
                owners.push(self.of(wallet).owner);
                inputs.push(coin);
            }
            if inputs.len() > makers {
                break;
            }
        }
        if inputs.len() < 4 {
            return false;
        }
        let pays = amount / 20_000 + 200;
        let fee = self.fee(taker.wallet, &inputs, 2 * inputs.len()) + pays * id::number(inputs.len() - 1);
        let Some(taker_left) = taker.sat.checked_sub(amount + fee) else { return false };
        let mut outs = Vec::with_capacity(2 * inputs.len());
        for (at, coin) in inputs.iter().enumerate() {
            let coin = *self.coins.get(*coin);
            let form = self.of(coin.wallet).habit.form;
            let left = if at == 0 { taker_left } else { coin.sat - amount + pays };
            outs.push(Out { lock: Lock::Fresh(form), ..self.mixed(amount, coin.wallet) });
            if left > DUST {
                outs.push(Out { lock: Lock::Fresh(form), ..self.change(left, coin.wallet) });
            }
        }
        rng.shuffle(&mut inputs);
        let by = taker.wallet;
        let order = std::mem::replace(&mut self.wallets[id::at(by)].habit.order, Order::Random);
        self.commit(Draft { kind: Kind::Joinmarket, by, inputs, outs });
        self.wallets[id::at(by)].habit.order = order;
        true
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn there_are_78_denominations() {
        let all = super::denominations();
        assert_eq!(all.len(), 78);
        assert_eq!(all[..5], [5_000, 6_561, 8_192, 10_000, 13_122]);
        assert_eq!(all[75..], [68_719_476_736, 94_143_178_827, 100_000_000_000]);
    }
}
