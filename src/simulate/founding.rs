//! Who is there when a world begins, pools, and the people who make noise.

use super::coins::Event;
use super::plan::Lock;
use super::rng::Rng;
use super::thief::Thief;
use super::town::{DUST, Draft, Out, Town};
use super::wallet::{ChangeTo, Habit, Keeper, Order};
use crate::id;
use crate::truth::{EntityKind, Kind, Role};

/// The kinds of noise, each at its own pace: how many in a million transactions.
const NOISE: [u64; 4] = [60, 120, 25, 3];
const AIRDROP: u32 = 0;
const DUSTING: u32 = 1;
const IMPORT: u32 = 2;
/// A payout to thousands.
const FLOOD: u32 = 3;

impl Town {
    pub(super) fn found(&mut self) {
        let mut rng = self.rng(u32::MAX);
        let scale = (self.spec.txs / 100_000).min(40);
        for n in 0..4 + scale {
            self.new_custodian(EntityKind::Exchange, format!("Exchange {n}"), &mut rng);
        }
        for n in 0..2 + scale / 4 {
            self.new_custodian(EntityKind::Processor, format!("Processor {n}"), &mut rng);
        }
        for (n, chips) in [false, true, false].into_iter().enumerate() {
            self.new_custodian(EntityKind::Mixer, format!("Mixer {n}"), &mut rng);
            if let Some(mixer) = self.custodians.last_mut() {
                mixer.hands_out_chips = chips;
            }
        }
        for n in 0..4 + scale / 2 {
            let entity = self.entity(EntityKind::Pool, format!("Pool {n}"));
            let habit = Habit::of_service(&mut rng, 300);
            let pool = self.wallet(entity, habit, Keeper::Agent);
            self.calendar.note(101 + id::small(id::at(n)), Event::Pool(pool));
            self.pools.push(pool);
        }
        for n in 0..2 {
            let entity = self.entity(EntityKind::Other, format!("Dice {n}"));
            let mut habit = Habit::of_service(&mut rng, 300);
            (habit.addresses, habit.change, habit.order) = (1, ChangeTo::Back, Order::ChangeLast);
            let dice = self.wallet(entity, habit, Keeper::Dice);
            self.dice.push(dice);
        }
        for _ in 0..30 {
            self.new_user();
        }
        self.found_mixes(&mut rng);
        for kind in 0..4 {
            self.next_noise(kind, 300, &mut rng);
        }
        self.found_thieves();
    }

    fn found_thieves(&mut self) {
        let programmes = self.spec.thefts.clone();
        for programme in programmes {
            let entity = self.entity(EntityKind::Thief, String::new());
            let mut rng = self.rng(u32::MAX);
            let habit = Habit { addresses: 0, ..Habit::of_service(&mut rng, 700) };
            let wallet = self.wallet(entity, habit, Keeper::Agent);
            self.thieves.push(Thief::new(entity, wallet, programme));
        }
    }

    /// Thefts begin one after another, between 15 and 55 hundredths of the world's transactions.
    pub(super) fn begin_thefts(&mut self) {
        let count = id::number(self.thieves.len());
        while self.thefts_begun < self.thieves.len() {
            let at = self.spec.txs / 100 * (15 + 40 * id::number(self.thefts_begun) / count);
            if self.txs < at {
                break;
            }
            self.calendar.note(self.height, Event::Thief(id::small(self.thefts_begun)));
            self.thefts_begun += 1;
        }
    }

    /// The pool that finds the next block.
    pub(super) fn pool_of_block(&self, rng: &mut Rng) -> usize {
        // The first is the largest.
        rng.place(self.pools.len()).min(rng.place(self.pools.len()))
    }

    /// A pool pays its miners from the rewards that have matured.
    pub(super) fn pay_miners(&mut self, pool: u32) {
        let mut rng = self.rng(pool);
        let coins = self.of(pool).coins.clone();
        let worth = self.sat(&coins);
        // As long as rewards are large they are paid at once, later when enough came together.
        let wait = if worth > 1_000_000_000 { rng.between(1, 4) } else { rng.between(60, 200) };
        self.calendar.note(self.height + u32::try_from(wait).unwrap_or(1), Event::Pool(pool));
        if coins.is_empty() || self.is_full() {
            return;
        }
        let inputs: Vec<u32> = coins.into_iter().take(if worth > 1_000_000_000 { 3 } else { 300 }).collect();
        let total = self.sat(&inputs);
        // So many coins are made of the first rewards that the traffic settles near what was asked for.
        let share = 5_000_000_000_000 / u64::from(self.spec.density.max(1));
        let miners = id::at((total / share).clamp(2, 60));
        let fee = self.fee(pool, &inputs, miners);
        let owner = self.of(pool).owner;
        let Some(share) =
            total.checked_sub(fee).map(|left| left / id::number(miners)).filter(|share| *share > 2 * DUST)
        else {
            return;
        };
        let mut outs = Vec::with_capacity(miners);
        let mut left = total - fee;
        for _ in 1..miners {
            let sat = rng.between(share / 4, share);
            left -= sat;
            let to = self.someone(&mut rng);
            outs.push(self.out(sat, to, Role::Payment, owner));
        }
        let to = self.someone(&mut rng);
        outs.push(self.deposit_out(left, to, owner, &mut rng));
        self.commit(Draft { kind: Kind::Payout, by: pool, inputs, outs });
    }

    /// A bet: a part of it goes back to a player in the same block, the rest stays on the site's one address.
    pub(super) fn bet(&mut self, slot: u32) {
        let coin = *self.coins.get(slot);
        let mut rng = self.rng(coin.wallet);
        let player = self.someone(&mut rng);
        let mut inputs = vec![slot];
        inputs.extend(self.of(coin.wallet).coins.iter().copied().find(|other| *other != slot));
        let fee = self.fee(coin.wallet, &inputs, 2);
        let total = self.sat(&inputs);
        let won = if rng.chance(480_000) { coin.sat * 2 } else { DUST };
        let Some(left) = total.checked_sub(fee + won).filter(|left| *left > DUST) else { return };
        let owner = self.of(coin.wallet).owner;
        let outs = vec![self.out(won, player, Role::Payment, owner), self.change(left, coin.wallet)];
        if !self.is_full() {
            // The change is a coin of the site's own and no bet.
            self.wallets[id::at(coin.wallet)].keeper = Keeper::Agent;
            self.commit(Draft { kind: Kind::Payment, by: coin.wallet, inputs, outs });
            self.wallets[id::at(coin.wallet)].keeper = Keeper::Dice;
        }
    }

    fn next_noise(&mut self, kind: u32, from: u32, rng: &mut Rng) {
        let per_block = u64::from(self.spec.density) * NOISE[id::at(kind)];
        let wait = rng.exponential(1_000_000_000 / per_block.max(1)).max(1);
        let height = u64::from(self.height.max(from)) + wait;
        self.calendar.note(u32::try_from(height).unwrap_or(u32::MAX / 2), Event::Noise(kind));
    }

    pub(super) fn noise(&mut self, kind: u32) {
        let mut rng = self.rng(u32::MAX - kind);
        self.next_noise(kind, 0, &mut rng);
        if self.is_full() {
            return;
        }
        match kind {
            AIRDROP => self.give_away(id::at(rng.between(5, 120)), rng.between(1, 50) * 1_000, Kind::Airdrop, &mut rng),
            DUSTING => self.give_away(id::at(rng.between(3, 60)), 546, Kind::Dust, &mut rng),
            IMPORT => self.import(&mut rng),
            FLOOD => self.give_away(id::at(self.spec.txs / 300).clamp(200, 3_000), 10_000, Kind::Airdrop, &mut rng),
            _ => {}
        }
    }

    /// Equal amounts to many who did not ask: from several coins, which makes it look like a mix.
    fn give_away(&mut self, many: usize, each: u64, kind: Kind, rng: &mut Rng) {
        let giver = self.someone(rng);
        let mut inputs: Vec<u32> =
            self.of(giver).coins.iter().copied().take(1 + rng.place(many / 2 + 1).min(20)).collect();
        inputs.sort_unstable();
        if inputs.is_empty() {
            return;
        }
        let fee = self.fee(giver, &inputs, many + 1);
        let owner = self.of(giver).owner;
        let paid = each * id::number(many);
        let Some(left) = self.sat(&inputs).checked_sub(fee + paid).filter(|left| *left > DUST) else { return };
        let mut outs = Vec::with_capacity(many + 1);
        for _ in 0..many {
            let to = self.someone(rng);
            outs.push(self.out(each, to, Role::Dust, owner));
        }
        outs.push(self.change(left, giver));
        self.commit(Draft { kind, by: giver, inputs, outs });
    }

    /// Two owners' keys meet in one wallet: somebody sold a wallet, or a custodian took one over.
    fn import(&mut self, rng: &mut Rng) {
        let (one, other) = (self.someone(rng), self.someone(rng));
        if self.of(one).owner == self.of(other).owner {
            return;
        }
        let first =
            |wallet: u32| self.of(wallet).coins.iter().copied().filter(|slot| self.coins.get(*slot).sat > DUST).take(3);
        let inputs: Vec<u32> = first(one).chain(first(other)).collect();
        if inputs.len() < 2 {
            return;
        }
        let fee = self.fee(one, &inputs, 1);
        let Some(sat) = self.sat(&inputs).checked_sub(fee).filter(|sat| *sat > DUST) else { return };
        let habit = self.of(one).habit;
        let out = Out { lock: Lock::Fresh(habit.form), role: Role::Transfer, ..self.change(sat, one) };
        self.commit(Draft { kind: Kind::Import, by: one, inputs, outs: vec![out] });
    }
}
