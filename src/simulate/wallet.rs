//! Wallets: whose they are, what is in them, and the habits by which their transactions can be told from others.

use super::plan::Form;
use super::rng::Rng;

/// How a wallet's software makes transactions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Habit {
    pub(super) form: Form,
    pub(super) version: i32,
    /// The lock time is the height of the last block, as Bitcoin Core has it, so that fees are no reason to undo blocks.
    pub(super) locks: bool,
    pub(super) replaceable: bool,
    pub(super) low_r: bool,
    pub(super) change: ChangeTo,
    pub(super) order: Order,
    pub(super) choice: Choice,
    /// Fee in thousandths of what is usual in the block.
    pub(super) fee: u32,
    /// Fee rates are whole numbers of sat per virtual byte.
    pub(super) whole_rates: bool,
    /// So many addresses it has and is paid to again and again; none where each payment has a new one.
    pub(super) addresses: u32,
}

/// Where change goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ChangeTo {
    Fresh,
    /// The address that is spent.
    Back,
    /// One of the addresses that it has.
    Kept,
}

/// The order of outputs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Order {
    Random,
    /// By value, as BIP 69 has it (which breaks ties by script; here they are left as they are).
    ByValue,
    /// By value, the greatest first.
    Descending,
    ChangeLast,
}

/// Which coins join the one that fell due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Choice {
    Oldest,
    Largest,
    Random,
}

/// How much of a wallet's traffic asks for what is new, in millionths: rises over the world's time.
fn era(rng: &mut Rng, past: u32, low: u32, high: u32) -> bool {
    rng.chance(low + (high - low) / 1000 * past)
}

impl Habit {
    /// A user's software. `past` is how much of the world's time is over, in thousandths.
    pub(super) fn of_user(rng: &mut Rng, past: u32) -> Self {
        let segwit = era(rng, past, 220_000, 330_000);
        let form = if segwit {
            match rng.below(1000) {
                0..520 => Form::P2shP2wpkh,
                520..860 => Form::P2wpkh,
                860..910 => Form::P2wsh,
                910..940 => Form::P2shP2wsh,
                _ => Form::P2tr,
            }
        } else {
            match rng.below(1000) {
                0..900 => Form::P2pkh,
                900..980 => Form::P2shMultisig,
                980..990 => Form::BareMultisig,
                _ => Form::P2pk,
            }
        };
        let back = rng.chance(if segwit { 120_000 } else { 240_000 });
        Self {
            form,
            version: if rng.chance(if segwit { 400_000 } else { 110_000 }) { 2 } else { 1 },
            locks: rng.chance(if segwit { 350_000 } else { 215_000 }),
            replaceable: rng.chance(if segwit { 140_000 } else { 32_000 }),
            low_r: rng.chance(400_000),
            change: if back { ChangeTo::Back } else { ChangeTo::Fresh },
            order: match rng.below(10) {
                0..6 => Order::Random,
                6..8 => Order::ByValue,
                _ => Order::ChangeLast,
            },
            choice: match rng.below(10) {
                0..5 => Choice::Oldest,
                5..7 => Choice::Largest,
                _ => Choice::Random,
            },
            fee: 500 + u32::try_from(rng.below(1500)).unwrap_or(0),
            whole_rates: rng.chance(300_000),
            addresses: u32::from(rng.chance(150_000)),
        }
    }

    /// A service's software: as a user's, but its addresses are its own affair.
    pub(super) fn of_service(rng: &mut Rng, past: u32) -> Self {
        let mut habit = Self::of_user(rng, past);
        if matches!(habit.form, Form::P2pk | Form::BareMultisig) {
            habit.form = Form::P2pkh;
        }
        habit.addresses = 0;
        habit
    }

    /// What everybody who takes part in mixes of new wallets uses.
    pub(super) fn of_mix(version: i32) -> Self {
        Self {
            form: Form::P2wpkh,
            version,
            locks: false,
            replaceable: false,
            low_r: false,
            change: ChangeTo::Fresh,
            order: Order::ByValue,
            choice: Choice::Oldest,
            fee: 1000,
            whole_rates: false,
            addresses: 0,
        }
    }
}

/// Who is told when a coin arrives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Keeper {
    /// The coin falls due on its own, and its owner spends it then.
    User,
    /// The agent looks into the wallet when its time comes.
    Agent,
    /// A gambling site: pays back at once.
    Dice,
}

#[derive(Clone, Debug)]
pub(super) struct Wallet {
    /// The entity.
    pub(super) owner: u32,
    pub(super) habit: Habit,
    pub(super) keeper: Keeper,
    pub(super) coins: Vec<u32>,
    /// What they are worth.
    pub(super) sat: u64,
    /// The addresses it is paid to again and again, as far as it has them yet.
    pub(super) kept: Vec<u32>,
    /// Its accounts: the custodian's place in the list of custodians, and the account.
    pub(super) accounts: Vec<(u32, u32)>,
}
