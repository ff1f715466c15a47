//! Mixers that hold the coins: what a customer gets has nothing to do with what the customer gave.

use super::custodian::Claim;
use super::plan::{Form, Lock};
use super::rng::Rng;
use super::town::{DUST, Draft, Out, Town};
use super::wallet::Keeper;
use crate::id;
use crate::truth::{Kind, Role, Stolen};

/// The smallest chip, in sat; each other is twice the one before.
const CHIP: u64 = 100_000;
const CHIPS: u32 = 12;

impl Town {
    /// A deposit at a mixer: paid out in parts, with delays, less a fee; or in chips.
    pub(super) fn tumble(&mut self, account: u32, sat: u64, loot: Option<Stolen>, rng: &mut Rng) {
        let chips = self.custodian(self.accounts[id::at(account)].custodian).hands_out_chips;
        let keeps = if chips { 0 } else { sat / 1000 * rng.between(10, 30) };
        let left = sat - keeps;
        let parts = if chips { 1 } else { rng.between(1, 5) };
        let mut rest = left;
        let mut loot_left = loot.map_or(0, |loot| loot.sat.min(left));
        for part in 1..=parts {
            let sat = if part == parts { rest } else { rng.between(left / (2 * parts), left / parts) };
            rest -= sat;
            let stolen = loot.map(|loot| Stolen { sat: sat.min(loot_left), ..loot }).filter(|stolen| stolen.sat > 0);
            loot_left -= stolen.map_or(0, |stolen| stolen.sat);
            let delay = u32::try_from(rng.between(6, 400)).unwrap_or(6);
            self.claim(self.height + delay, Claim { account, sat, loot: stolen });
        }
    }

    /// Serves the queue of a chip mixer: keys of chips change hands off the chain.
    pub(super) fn hand_out_chips(&mut self, at: u32, rng: &mut Rng) {
        let stock = self.custodian(at).cold;
        let queue: Vec<Claim> = self.custodians[id::at(at)].queue.drain(..).collect();
        for claim in queue {
            let mut left = claim.sat;
            let mut loot = claim.loot.map_or(0, |loot| loot.sat);
            let mut chips = self.of(stock).coins.clone();
            chips.sort_unstable_by_key(|slot| (std::cmp::Reverse(self.coins.get(*slot).sat), *slot));
            let to = self.accounts[id::at(claim.account)].wallet;
            for slot in chips {
                let sat = self.coins.get(slot).sat;
                if sat > left {
                    continue;
                }
                left -= sat;
                let stolen =
                    claim.loot.map(|stolen| Stolen { sat: sat.min(loot), ..stolen }).filter(|stolen| stolen.sat > 0);
                loot -= stolen.map_or(0, |stolen| stolen.sat);
                self.hand_over(slot, to, claim.account, stolen);
                if self.of(to).keeper == Keeper::User {
                    self.note_due(slot, rng);
                }
            }
            if left >= CHIP {
                // The rest when there are chips again.
                let loot = claim.loot.map(|stolen| Stolen { sat: loot, ..stolen }).filter(|stolen| stolen.sat > 0);
                self.custodians[id::at(at)].queue.push_back(Claim { sat: left, loot, ..claim });
            }
        }
        self.make_chips(at, rng);
    }

    fn make_chips(&mut self, at: u32, rng: &mut Rng) {
        let custodian = self.custodian(at);
        let (hot, stock, entity) = (custodian.hot, custodian.cold, custodian.entity);
        let owed: u64 = custodian.queue.iter().map(|claim| claim.sat).sum();
        let stocked = self.of(stock).sat;
        if (stocked > 2 * owed && stocked > 500 * CHIP) || self.is_full() {
            return;
        }
        let wealth = self.of(hot).sat;
        // Of every size a few; large ones as far as the money goes.
        let mut amounts: Vec<u64> = Vec::new();
        let mut left = wealth / 100 * 95;
        for size in (0..CHIPS).rev() {
            let amount = CHIP << size;
            let many = rng.between(1, 6).min(left / amount / if size > 0 { 2 } else { 1 }).min(30);
            amounts.extend((0..many).map(|_| amount));
            left -= many * amount;
        }
        if amounts.len() < 3 {
            return;
        }
        let paid: u64 = amounts.iter().sum();
        let Some((inputs, fee)) = self.enough(hot, paid + 2 * DUST, amounts.len() + 1) else { return };
        let chip = |sat| Out {
            sat,
            wallet: Some(stock),
            lock: Lock::Fresh(Form::P2pkh),
            role: Role::Chip,
            account: None,
            payer: entity,
            loot: None,
            rounds: 0,
        };
        let mut outs: Vec<Out> = amounts.into_iter().map(chip).collect();
        outs.push(self.change(self.sat(&inputs) - paid - fee, hot));
        self.commit(Draft { kind: Kind::Chips, by: hot, inputs, outs });
    }
}
