//! The coins that can be spent, in slots, and what falls due when.

use std::collections::BTreeMap;

use super::plan::Form;
use crate::id;
use crate::truth::Stolen;

/// No wallet may choose the coin: it waits in a queue of a mix.
const AWAY: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
pub(super) struct Coin {
    pub(super) sat: u64,
    pub(super) wallet: u32,
    /// Where it stands in the wallet.
    place: u32,
    /// The block that made it.
    pub(super) height: u32,
    /// The block in which its owner means to spend it.
    pub(super) due: u32,
    pub(super) form: Form,
    /// How many coins were in this slot before.
    pub(super) generation: u32,
    /// Rounds of a mix that it went through.
    pub(super) rounds: u32,
    pub(super) loot: Option<Stolen>,
    pub(super) account: Option<u32>,
    /// Changed hands without a transaction: its address is still the one who made it's.
    pub(super) handed: bool,
}

/// The slots, and the wallets' lists of what is theirs.
#[derive(Debug, Default)]
pub(super) struct Coins {
    slots: Vec<Coin>,
    free: Vec<u32>,
}

impl Coins {
    pub(super) fn get(&self, slot: u32) -> &Coin {
        &self.slots[id::at(slot)]
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> &mut Coin {
        &mut self.slots[id::at(slot)]
    }

    pub(super) fn live(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Puts a coin into a slot. It is in no wallet yet.
    pub(super) fn put(&mut self, mut coin: Coin) -> u32 {
        coin.place = AWAY;
        if let Some(slot) = self.free.pop() {
            coin.generation = self.get(slot).generation + 1;
            self.slots[id::at(slot)] = coin;
            slot
        } else {
            self.slots.push(coin);
            id::small(self.slots.len() - 1)
        }
    }

    /// Empties a slot of a coin that is in no wallet's list any more.
    pub(super) fn free(&mut self, slot: u32) {
        self.get_mut(slot).generation += 1;
        self.free.push(slot);
    }

    /// Lists the coin among those that its wallet can spend.
    pub(super) fn list(&mut self, slot: u32, of: &mut Vec<u32>) {
        self.get_mut(slot).place = id::small(of.len());
        of.push(slot);
    }

    /// Takes the coin off its wallet's list, if it is on it.
    pub(super) fn unlist(&mut self, slot: u32, of: &mut Vec<u32>) {
        let place = std::mem::replace(&mut self.get_mut(slot).place, AWAY);
        if place != AWAY {
            of.swap_remove(id::at(place));
            if let Some(moved) = of.get(id::at(place)) {
                self.get_mut(*moved).place = place;
            }
        }
    }

    pub(super) fn is_listed(&self, slot: u32) -> bool {
        self.get(slot).place != AWAY
    }
}

impl Coin {
    pub(super) fn new(sat: u64, wallet: u32, height: u32, form: Form) -> Self {
        Self {
            sat,
            wallet,
            place: AWAY,
            height,
            due: u32::MAX,
            form,
            generation: 0,
            rounds: 0,
            loot: None,
            account: None,
            handed: false,
        }
    }
}

/// What happens at a height.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Event {
    /// A user's coin falls due, if the slot's generation is still this.
    Coin {
        slot: u32,
        generation: u32,
    },
    Pool(u32),
    Sweep(u32),
    Withdraw(u32),
    /// What a custodian owes falls due.
    Claim(u32),
    Mix(u32),
    Thief(u32),
    Noise(u32),
}

/// What is to happen, by height, in the order in which it was noted.
#[derive(Debug, Default)]
pub(super) struct Calendar {
    days: BTreeMap<u32, Vec<Event>>,
}

impl Calendar {
    pub(super) fn note(&mut self, height: u32, event: Event) {
        self.days.entry(height).or_default().push(event);
    }

    /// Takes what was noted for this height. More can be noted for it meanwhile, so ask until there is nothing.
    pub(super) fn take(&mut self, height: u32) -> Vec<Event> {
        match self.days.first_key_value() {
            Some((first, _)) if *first <= height => self.days.pop_first().map(|(_, events)| events).unwrap_or_default(),
            _ => Vec::new(),
        }
    }
}
