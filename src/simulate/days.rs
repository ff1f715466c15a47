//! The course of a world: block by block, what was noted for each.

use bitcoin::Network;

use super::coins::Event;
use super::plan::{Plan, PlannedBlock};
use super::town::Town;
use crate::chain::subsidy;
use crate::id::BlockHeight;

impl Town {
    /// True when there are as many transactions as were asked for.
    pub(super) fn is_over(&self) -> bool {
        self.txs >= self.spec.txs
    }

    /// Goes on for at least so many transactions, or to the end.
    pub(super) fn plan(&mut self, txs: u64) -> Plan {
        let (from, height) = (self.txs, self.height);
        let mut plan = Plan::default();
        while !self.is_over() && self.txs - from < txs && self.height - height < 2_000 {
            plan.blocks.push(self.live());
        }
        plan
    }

    /// One block.
    fn live(&mut self) -> PlannedBlock {
        self.next_block();
        self.begin_thefts();
        loop {
            let events = self.calendar.take(self.height);
            if events.is_empty() {
                break;
            }
            for event in events {
                self.happens(event);
            }
        }
        self.wake();
        let subsidy = subsidy(Network::Regtest, BlockHeight::from_u32(self.height));
        self.close_block(subsidy.to_sat())
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Coin { slot, generation } => {
                if self.coins.get(slot).generation == generation {
                    self.coin_due(slot);
                }
            }
            Event::Pool(pool) => self.pay_miners(pool),
            Event::Sweep(at) => self.sweep(at),
            Event::Withdraw(at) => self.withdraw(at),
            Event::Claim(at) => self.claimed(at),
            Event::Mix(kind) => self.mix(kind),
            Event::Thief(at) => self.thief_acts(at),
            Event::Noise(kind) => self.noise(kind),
        }
    }

    /// Where next to nothing happens, people spend before their time: a world must not come to a standstill.
    fn wake(&mut self) {
        if self.height < 130 || self.pressure() > 400 {
            return;
        }
        let mut rng = self.rng(u32::MAX);
        for _ in 0..self.spec.density.div_ceil(4_000) {
            let user = self.someone(&mut rng);
            if let Some(slot) = self.of(user).coins.first().copied() {
                self.coin_due(slot);
            }
        }
    }
}
