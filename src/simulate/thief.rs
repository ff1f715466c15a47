//! Thieves: they take an exchange's coins and work through a programme.

use super::coins::Event;
use super::custodian::Claim;
use super::plan::Lock;
use super::rng::Rng;
use super::spec::{Programme, Stage};
use super::town::{DUST, Draft, Out, Town};
use super::wallet::Keeper;
use crate::id;
use crate::truth::{EntityKind, Kind, Role, Stolen, Theft};

/// Less than this is not worth stealing.
const LEAST_LOOT: u64 = 20_000_000;
/// Who waits for a mix or a payout longer than this goes on without it.
const PATIENCE: u32 = 1_200;
/// Coins that are moved at one time.
const HANDS: usize = 4;

/// How far a thief is.
#[derive(Clone, Debug)]
pub(super) struct Thief {
    pub(super) entity: u32,
    pub(super) wallet: u32,
    programme: Programme,
    /// What was taken, once it was.
    taken: Option<Theft>,
    /// The stage; beyond the last when all is done.
    stage: usize,
    /// What is left to do of the stage: coins, or times.
    todo: Vec<u32>,
    left: u32,
    begun: bool,
    /// When the thief stops waiting.
    until: u32,
}

impl Thief {
    pub(super) fn new(entity: u32, wallet: u32, programme: Programme) -> Self {
        let (todo, taken) = (Vec::new(), None);
        Self { entity, wallet, programme, taken, stage: 0, todo, left: 0, begun: false, until: 0 }
    }

    /// The theft, if it happened.
    pub(super) fn theft(&self) -> Option<&Theft> {
        self.taken.as_ref()
    }
}

/// What a thief's turn comes to.
enum Turn {
    /// Goes on after so many blocks.
    After(u64),
    /// The stage is over.
    Over,
}

impl Town {
    pub(super) fn thief_acts(&mut self, at: u32) {
        let wallet = self.thieves[id::at(at)].wallet;
        let mut rng = self.rng(wallet);
        let turn = if self.is_full() {
            Turn::After(1)
        } else if self.thieves[id::at(at)].taken.is_none() {
            self.steal(at, &mut rng)
        } else {
            let thief = &self.thieves[id::at(at)];
            match thief.programme.stages().get(thief.stage).copied() {
                Some(stage) => self.act(at, stage, &mut rng),
                None => return,
            }
        };
        let wait = match turn {
            Turn::After(blocks) => blocks,
            Turn::Over => {
                let thief = &mut self.thieves[id::at(at)];
                thief.stage += 1;
                thief.begun = false;
                rng.between(1, 12)
            }
        };
        let height = u64::from(self.height) + wait;
        self.calendar.note(u32::try_from(height).unwrap_or(u32::MAX / 2), Event::Thief(at));
    }

    fn steal(&mut self, at: u32, rng: &mut Rng) -> Turn {
        let victims = self.custodians.iter().filter(|victim| victim.kind == EntityKind::Exchange);
        let pots = victims.flat_map(|victim| [(victim.entity, victim.hot), (victim.entity, victim.cold)]);
        let Some((victim, pot)) = pots.max_by_key(|(_, pot)| (self.of(*pot).sat, *pot)) else { return Turn::After(50) };
        if self.of(pot).sat < 2 * LEAST_LOOT {
            return Turn::After(20);
        }
        let wanted = self.of(pot).sat / 100 * rng.between(10, 60);
        let found =
            self.enough(pot, wanted.max(LEAST_LOOT), 2).map(|(inputs, fee)| (inputs, fee, wanted.max(LEAST_LOOT)));
        let Some((inputs, fee, sat)) = found.or_else(|| self.greatest(pot)) else { return Turn::After(20) };
        let left = self.sat(&inputs) - sat - fee;
        let wallet = self.thieves[id::at(at)].wallet;
        // Numbered as they happen, so that no number is missing.
        let number = id::small(self.thefts.len());
        self.thefts.push(at);
        let loot = Some(Stolen { theft: number, sat });
        let mut outs = vec![Out { loot, ..self.out(sat, wallet, Role::Payment, victim) }];
        if left > DUST {
            outs.push(self.change(left, pot));
        }
        self.commit(Draft { kind: Kind::Theft, by: pot, inputs, outs });
        let thief = &mut self.thieves[id::at(at)];
        let programme = thief.programme.to_string();
        thief.taken = Some(Theft { index: number, thief: thief.entity, victim, height: self.height, sat, programme });
        Turn::After(rng.between(1, 30))
    }

    /// The greatest coins of a pot that is in too many pieces to take a share of it: they, their fee, and what is left.
    fn greatest(&self, pot: u32) -> Option<(Vec<u32>, u64, u64)> {
        let mut coins = self.of(pot).coins.clone();
        coins.sort_unstable_by_key(|slot| (std::cmp::Reverse(self.coins.get(*slot).sat), *slot));
        coins.truncate(60);
        let fee = self.fee(pot, &coins, 2);
        let sat = self.sat(&coins).checked_sub(fee).filter(|sat| *sat >= LEAST_LOOT)?;
        Some((coins, fee, sat))
    }

    fn act(&mut self, at: u32, stage: Stage, rng: &mut Rng) -> Turn {
        let wallet = self.thieves[id::at(at)].wallet;
        let begins = !std::mem::replace(&mut self.thieves[id::at(at)].begun, true);
        if begins {
            let mut coins = self.of(wallet).coins.clone();
            // The greatest last, which is where they are taken from.
            coins.sort_unstable_by_key(|slot| (self.coins.get(*slot).sat, *slot));
            let thief = &mut self.thieves[id::at(at)];
            thief.todo = coins;
            thief.until = self.height + PATIENCE;
            thief.left = match stage {
                Stage::Peel(number) | Stage::Shuffle(number) | Stage::Decoys(number) | Stage::Dust(number) => number,
                _ => 1,
            };
        }
        match stage {
            Stage::Wait(blocks) if begins => Turn::After(u64::from(blocks)),
            Stage::Wait(_) => Turn::Over,
            Stage::Peel(hops) => self.peel(at, hops, rng),
            Stage::Join => self.join_coins(at, rng),
            Stage::Blend => self.blend(at, begins, rng),
            Stage::Decoys(_) => self.scatter(at, 1, rng),
            Stage::Dust(_) => self.scatter(at, 10, rng),
            Stage::Shuffle(_) => self.shuffle_coins(at, rng),
            Stage::Whirlpool(_) | Stage::Wasabi1 | Stage::Wasabi2 => self.enter_mix(at, stage, rng),
            Stage::Chips | Stage::Tumbler | Stage::Through => self.pass_custody(at, stage, rng),
            Stage::Split(ways) => self.each_coin(at, rng, |town, slot, rng| town.split(slot, ways, rng)),
            Stage::Joinmarket => self.each_coin(at, rng, |town, slot, rng| {
                town.joinmarket(slot, rng);
            }),
            Stage::Exchange => {
                self.each_coin(at, rng, |town, slot, rng| town.cash_out(slot, EntityKind::Exchange, false, rng))
            }
        }
    }

    fn each_coin(&mut self, at: u32, rng: &mut Rng, act: impl Fn(&mut Self, u32, &mut Rng)) -> Turn {
        for _ in 0..HANDS {
            let Some(slot) = self.next_coin(at) else { return Turn::Over };
            act(self, slot, rng);
        }
        Turn::After(rng.between(1, 5))
    }

    /// The next coin of the list that is still the thief's.
    fn next_coin(&mut self, at: u32) -> Option<u32> {
        let thief = &mut self.thieves[id::at(at)];
        while let Some(slot) = thief.todo.pop() {
            let coin = self.coins.get(slot);
            if coin.wallet == thief.wallet && self.coins.is_listed(slot) && coin.sat > 20 * DUST {
                return Some(slot);
            }
        }
        None
    }

    /// Sends coins on, less the fee, divided into these shares of a thousand; what is left over goes to the last.
    fn send(&mut self, kind: Kind, inputs: Vec<u32>, shares: &[u64]) -> Vec<u32> {
        self.send_parts(kind, inputs, shares, 1000)
    }

    /// As [`send`](Self::send), in shares of so many.
    fn send_parts(&mut self, kind: Kind, inputs: Vec<u32>, shares: &[u64], whole: u64) -> Vec<u32> {
        let wallet = self.coins.get(inputs[0]).wallet;
        let owner = self.of(wallet).owner;
        let fee = self.fee(wallet, &inputs, shares.len());
        let Some(total) = self.sat(&inputs).checked_sub(fee).filter(|total| *total > 10 * DUST) else {
            return Vec::new();
        };
        let mut left = total;
        let mut outs = Vec::with_capacity(shares.len());
        for (at, share) in shares.iter().enumerate() {
            let sat = if at + 1 == shares.len() { left } else { total / whole * share };
            if sat > DUST {
                left -= sat;
                outs.push(self.out(sat, wallet, Role::Transfer, owner));
            }
        }
        self.commit(Draft { kind, by: wallet, inputs, outs })
    }

    fn split(&mut self, slot: u32, ways: u32, rng: &mut Rng) {
        // More would not fit into a block.
        let ways = u64::from(ways.min(2_000));
        // Thousandths are too coarse for many pieces: the shares would be nothing.
        let whole = if ways > 100 { 1_000_000 } else { 1_000 };
        let shares: Vec<u64> = (0..ways).map(|_| rng.between(500, 1000) * (whole / 1_000) / ways).collect();
        self.send_parts(Kind::FanOut, vec![slot], &shares, whole);
    }

    fn join_coins(&mut self, at: u32, rng: &mut Rng) -> Turn {
        let mut inputs = Vec::new();
        while inputs.len() < 100
            && let Some(slot) = self.next_coin(at)
        {
            inputs.push(slot);
        }
        let last = inputs.len() < 100;
        if inputs.len() > 1 {
            self.send(Kind::Consolidation, inputs, &[1000]);
        }
        if last { Turn::Over } else { Turn::After(rng.between(1, 3)) }
    }

    fn shuffle_coins(&mut self, at: u32, rng: &mut Rng) -> Turn {
        for _ in 0..HANDS {
            let Some(slot) = self.next_coin(at) else {
                let thief = &mut self.thieves[id::at(at)];
                thief.left -= 1;
                if thief.left == 0 {
                    return Turn::Over;
                }
                let wallet = self.thieves[id::at(at)].wallet;
                self.thieves[id::at(at)].todo = self.of(wallet).coins.clone();
                return Turn::After(rng.between(1, 20));
            };
            self.send(Kind::Consolidation, vec![slot], &[1000]);
        }
        Turn::After(rng.between(1, 3))
    }

    fn peel(&mut self, at: u32, hops: u32, rng: &mut Rng) -> Turn {
        for _ in 0..rng.between(1, 3) {
            let Some(slot) = self.next_coin(at) else { return Turn::Over };
            let Some(on) = self.peel_once(slot, hops, rng) else { return Turn::Over };
            let thief = &mut self.thieves[id::at(at)];
            thief.todo.push(on);
            thief.left -= 1;
            if thief.left == 0 {
                return Turn::Over;
            }
        }
        Turn::After(rng.between(0, 3).max(1))
    }

    /// One hop; returns the coin that goes on.
    fn peel_once(&mut self, slot: u32, hops: u32, rng: &mut Rng) -> Option<u32> {
        let coin = *self.coins.get(slot);
        let owner = self.of(coin.wallet).owner;
        let fee = self.fee(coin.wallet, &[slot], 2);
        // So small that a third is left when the chain ends.
        let share = rng.between(100_000, 2_000_000) / u64::from(hops.max(20));
        let sat = u64::try_from(u128::from(coin.sat) * u128::from(share) / 1_000_000).ok()?.max(2 * DUST);
        let left = coin.sat.checked_sub(sat + fee).filter(|left| *left > 20 * DUST)?;
        let peeled = if rng.chance(600_000) || self.merchants.is_empty() {
            let at = self.some_custodian(EntityKind::Exchange, rng)?;
            let account = self.account_at(at, coin.wallet, false);
            self.credit(sat, account, owner)
        } else {
            let to = rng.pick(&self.merchants);
            self.out(sat, to, Role::Peel, owner)
        };
        let form = self.of(coin.wallet).habit.form;
        // The thief does not pay itself back to the address it spends, whatever its software does.
        let change = Out { lock: Lock::Fresh(form), ..self.change(left, coin.wallet) };
        let slots =
            self.commit(Draft { kind: Kind::Peel, by: coin.wallet, inputs: vec![slot], outs: vec![peeled, change] });
        slots.get(1).copied()
    }

    /// Small payments to people who have nothing to do with it.
    fn scatter(&mut self, at: u32, at_once: u32, rng: &mut Rng) -> Turn {
        for _ in 0..3 {
            let Some(slot) = self.next_coin(at) else { return Turn::Over };
            let wallet = self.coins.get(slot).wallet;
            let owner = self.of(wallet).owner;
            let many = at_once.min(self.thieves[id::at(at)].left);
            let fee = self.fee(wallet, &[slot], id::at(many) + 1);
            let mut outs = Vec::new();
            let mut left = self.coins.get(slot).sat.saturating_sub(fee);
            for _ in 0..many {
                let sat = if at_once > 1 { 546 } else { rng.between(2_000, 80_000) };
                let to = self.someone(rng);
                let role = if at_once > 1 { Role::Dust } else { Role::Payment };
                left = left.saturating_sub(sat);
                outs.push(self.out(sat, to, role, owner));
            }
            if left < 20 * DUST {
                continue;
            }
            let form = self.of(wallet).habit.form;
            outs.push(Out { lock: Lock::Fresh(form), ..self.change(left, wallet) });
            let kind = if at_once > 1 { Kind::Dust } else { Kind::Payment };
            let on = self.commit(Draft { kind, by: wallet, inputs: vec![slot], outs }).last().copied();
            let thief = &mut self.thieves[id::at(at)];
            thief.todo.extend(on);
            thief.left -= many;
            if thief.left == 0 {
                return Turn::Over;
            }
        }
        Turn::After(rng.between(1, 6))
    }

    pub(super) fn some_custodian(&self, kind: EntityKind, rng: &mut Rng) -> Option<u32> {
        let all: Vec<u32> =
            (0..id::small(self.custodians.len())).filter(|at| self.custodian(*at).kind == kind).collect();
        (!all.is_empty()).then(|| rng.pick(&all))
    }

    /// Pays a whole coin into a new account.
    fn cash_out(&mut self, slot: u32, kind: EntityKind, comes_back: bool, rng: &mut Rng) {
        let Some(at) = self.some_custodian(kind, rng) else { return };
        self.pay_in(slot, at, comes_back);
    }

    fn pay_in(&mut self, slot: u32, at: u32, comes_back: bool) {
        let wallet = self.coins.get(slot).wallet;
        let owner = self.of(wallet).owner;
        let fee = self.fee(wallet, &[slot], 1);
        let Some(sat) = self.coins.get(slot).sat.checked_sub(fee).filter(|sat| *sat > 4 * DUST) else { return };
        let account = self.open_account(at, wallet, comes_back);
        let out = self.credit(sat, account, owner);
        self.commit(Draft { kind: Kind::Payment, by: wallet, inputs: vec![slot], outs: vec![out] });
    }

    /// Joins the loot with coins that are the thief's own, bought at an exchange.
    fn blend(&mut self, at: u32, begins: bool, rng: &mut Rng) -> Turn {
        let thief = &self.thieves[id::at(at)];
        let (wallet, until) = (thief.wallet, thief.until);
        if begins {
            let sat = (self.of(wallet).sat / 20).max(100 * DUST);
            if let Some(exchange) = self.some_custodian(EntityKind::Exchange, rng) {
                let account = self.open_account(exchange, wallet, true);
                self.claim(self.height + 1, Claim { account, sat, loot: None });
            }
            return Turn::After(rng.between(5, 30));
        }
        let clean = self.of(wallet).coins.iter().any(|slot| self.coins.get(*slot).loot.is_none());
        if !clean && self.height < until {
            return Turn::After(10);
        }
        self.thieves[id::at(at)].todo = self.of(wallet).coins.clone();
        self.join_coins(at, rng)
    }

    fn enter_mix(&mut self, at: u32, stage: Stage, rng: &mut Rng) -> Turn {
        let thief = &self.thieves[id::at(at)];
        let (wallet, until) = (thief.wallet, thief.until);
        for _ in 0..HANDS {
            let Some(slot) = self.next_coin(at) else { break };
            match stage {
                Stage::Whirlpool(rounds) => self.tx0(slot, rounds, rng),
                Stage::Wasabi1 => self.enter_wasabi1(slot),
                _ => self.enter_wasabi2(slot),
            };
        }
        if !self.thieves[id::at(at)].todo.is_empty() {
            return Turn::After(rng.between(1, 4));
        }
        let waiting = self.waiting_of(wallet);
        if waiting.is_empty() {
            return Turn::Over;
        }
        if self.height > until {
            for slot in waiting {
                self.leave_mixes(slot);
                self.list(slot);
            }
            return Turn::Over;
        }
        self.recruit(stage, wallet, rng);
        Turn::After(rng.between(3, 12))
    }

    /// Where a thief mixes, others do too, or there would be no crowd to hide in.
    fn recruit(&mut self, stage: Stage, thief: u32, rng: &mut Rng) {
        if self.crowd(stage, thief) > 24 {
            return;
        }
        for _ in 0..12 {
            let user = self.someone(rng);
            let fits = |slot: &&u32| self.coins.get(**slot).sat > 400_000;
            // A pool may ask for much, so the largest.
            let coins = self.of(user).coins.iter().filter(fits);
            let Some(slot) = coins.max_by_key(|slot| self.coins.get(**slot).sat).copied() else { continue };
            if self.of(user).keeper != Keeper::User {
                continue;
            }
            match stage {
                Stage::Whirlpool(_) if rng.chance(100_000) => self.join_pool(slot, thief, rng),
                Stage::Wasabi1 => self.enter_wasabi1(slot),
                Stage::Wasabi2 => self.enter_wasabi2(slot),
                _ => false,
            };
        }
    }

    /// Into a custodian's books and out again.
    fn pass_custody(&mut self, at: u32, stage: Stage, rng: &mut Rng) -> Turn {
        let kind = if stage == Stage::Through { EntityKind::Exchange } else { EntityKind::Mixer };
        let chips = stage == Stage::Chips;
        let wallet = self.thieves[id::at(at)].wallet;
        for _ in 0..HANDS {
            let Some(slot) = self.next_coin(at) else { break };
            let fits = |at: &u32| {
                let custodian = self.custodian(*at);
                custodian.kind == kind && custodian.hands_out_chips == chips
            };
            let all: Vec<u32> = (0..id::small(self.custodians.len())).filter(fits).collect();
            if !all.is_empty() {
                self.pay_in(slot, rng.pick(&all), true);
            }
        }
        let thief = &self.thieves[id::at(at)];
        if !thief.todo.is_empty() {
            return Turn::After(rng.between(1, 6));
        }
        if self.height >= thief.until
            || (self.height + PATIENCE > thief.until + 500 && !self.of(wallet).coins.is_empty())
        {
            return Turn::Over;
        }
        Turn::After(20)
    }
}
