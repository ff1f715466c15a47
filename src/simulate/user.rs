//! People and shops: a coin falls due, and its owner does something with it.

use super::coins::Event;
use super::custodian::IN_SIGHT;
use super::plan::Lock;
use super::rng::Rng;
use super::town::{DUST, Draft, Out, Town};
use super::wallet::{Choice, Habit, Keeper};
use crate::id;
use crate::truth::{EntityKind, Kind, Role};

/// Median and sigma (in thousandths) of the time until both outputs of a payment are spent, in blocks: the lognormal
/// distribution with a median of 330 and a mean of 5,750 blocks, between the numbers of Moeser's notebooks (256 to 419, 5,000 to 6,500).
pub(super) const BOTH_SPENT: (u64, u32) = (330, 2_391);

/// The median that is drawn with. Coins wait for others and are taken along by others; this is what the two come to.
const MEANT: u64 = 285;

impl Town {
    /// A new user, with a wallet of its time.
    pub(super) fn new_user(&mut self) -> u32 {
        let past = self.past();
        let mut rng = self.rng(u32::MAX);
        let merchant = rng.chance(12_000);
        let kind = if merchant { EntityKind::Merchant } else { EntityKind::User };
        let entity = self.entity(kind, String::new());
        let mut habit = Habit::of_user(&mut rng, past);
        if merchant {
            habit.addresses = u32::from(rng.chance(500_000));
        }
        let wallet = self.wallet(entity, habit, Keeper::User);
        self.users.push(wallet);
        if merchant {
            self.merchants.push(wallet);
        }
        wallet
    }

    /// Somebody to be paid: the longer someone is there, the more often. Now and then a newcomer.
    pub(super) fn someone(&mut self, rng: &mut Rng) -> u32 {
        let wanted = id::at(self.spec.txs / 30).max(60);
        let room = self.users.len() < wanted * id::at(self.past() + 150) / 1000;
        if self.users.is_empty() || (room && rng.chance(60_000)) {
            return self.new_user();
        }
        // A fifth of the traffic is that of one in a hundred.
        let users = id::number(self.users.len());
        let at = (0..2).fold(rng.below(users), |at, _| at * rng.below(users) / users);
        self.users[id::at(at)]
    }

    pub(super) fn delay(&self, rng: &mut Rng) -> u32 {
        let delay = rng.half_of_pair(MEANT, BOTH_SPENT.1);
        // Where there is too much traffic, everybody takes a little longer, and the other way round.
        let stretch = u64::from(self.pressure().clamp(700, 3_000));
        u32::try_from(delay * stretch / 1000).unwrap_or(u32::MAX / 4).min(u32::MAX / 4)
    }

    /// A coin falls due.
    pub(super) fn coin_due(&mut self, slot: u32) {
        let wallet = self.coins.get(slot).wallet;
        if self.of(wallet).keeper != Keeper::User {
            // A reward that has matured.
            self.list(slot);
            return;
        }
        if !self.coins.is_listed(slot) {
            return;
        }
        let mut rng = self.rng(wallet);
        if self.is_full() {
            let generation = self.coins.get(slot).generation;
            self.calendar.note(self.height + 1, Event::Coin { slot, generation });
            return;
        }
        if self.wants_mix(slot, &mut rng) || self.waits_for_others(slot, &mut rng) {
            return;
        }
        match self.outputs_quota.draw(&mut rng) {
            0 => self.pay_all(slot, &mut rng),
            1 => self.pay_one(slot, &mut rng),
            _ => self.pay_many(slot, &mut rng),
        }
    }

    /// Where there is too much traffic a coin may wait for the next of its wallet that falls due, to be spent together.
    fn waits_for_others(&mut self, slot: u32, rng: &mut Rng) -> bool {
        let pressure = self.pressure();
        if pressure <= 1_000 || !rng.chance(1_000_000 - 1_000_000_000 / pressure) {
            return false;
        }
        let coin = *self.coins.get(slot);
        let age = self.height - coin.height;
        let (soon, late) = (self.height + 1, self.height + age / 2 + 6);
        let dues = self.of(coin.wallet).coins.iter().take(200).map(|other| self.coins.get(*other).due);
        let Some(due) = dues.filter(|due| (soon..=late).contains(due)).min() else { return false };
        self.coins.get_mut(slot).due = due;
        self.calendar.note(due, Event::Coin { slot, generation: coin.generation });
        true
    }

    /// How many blocks before its time a coin joins another: the more traffic, the longer.
    fn window(&self) -> u64 {
        let pressure = u64::from(self.pressure());
        20 * pressure * pressure / 1_000_000
    }

    /// The coin and up to `more` others of its wallet that fall due in so many blocks.
    pub(super) fn with_others(&self, slot: u32, more: usize, window: u64, rng: &mut Rng) -> Vec<u32> {
        let wallet = self.of(self.coins.get(slot).wallet);
        let soon = u64::from(self.height) + window;
        let fits = |other: &u32| *other != slot && u64::from(self.coins.get(*other).due) <= soon;
        let mut others: Vec<u32> =
            if more == 0 { Vec::new() } else { wallet.coins.iter().copied().take(IN_SIGHT).filter(fits).collect() };
        match wallet.habit.choice {
            Choice::Random => rng.shuffle(&mut others),
            Choice::Oldest => others.sort_by_key(|other| self.coins.get(*other).height),
            Choice::Largest => others.sort_by_key(|other| std::cmp::Reverse(self.coins.get(*other).sat)),
        }
        others.truncate(more);
        others.insert(0, slot);
        others
    }

    /// One output: an owner joins coins, or empties a wallet into somebody's hands.
    fn pay_all(&mut self, slot: u32, rng: &mut Rng) {
        let wallet = self.coins.get(slot).wallet;
        let pressure = u64::from(self.pressure());
        // Where there is too much traffic people tidy up.
        let more = rng.pareto(2, 700) * pressure.pow(3) / 1_000_000_000;
        // Some take even what they meant to keep for years.
        let tidies = pressure > 1_100 && rng.chance(300_000);
        let window = if tidies { u64::from(u32::MAX) } else { 2 * self.window() };
        let inputs = self.with_others(slot, id::at(more.min(200)), window, rng);
        let fee = self.fee(wallet, &inputs, 1);
        let Some(sat) = self.sat(&inputs).checked_sub(fee).filter(|sat| *sat > DUST) else { return };
        let owner = self.of(wallet).owner;
        let keeps = inputs.len() > 2 && rng.chance(600_000);
        let (kind, out) = if keeps {
            (Kind::Consolidation, Out { role: Role::Transfer, ..self.change(sat, wallet) })
        } else {
            (Kind::Payment, self.payee(sat, owner, wallet, rng))
        };
        self.commit(Draft { kind, by: wallet, inputs, outs: vec![out] });
    }

    /// Two outputs: a payment with change, or one with data.
    fn pay_one(&mut self, slot: u32, rng: &mut Rng) {
        let wallet = self.coins.get(slot).wallet;
        let owner = self.of(wallet).owner;
        let more = match self.inputs_quota.draw(rng) {
            0 => 0,
            1 => 1,
            _ => 1 + id::at(rng.pareto(2, 750).min(80)),
        };
        let window = if more > 1 { 2 * self.window() } else { self.window() };
        let mut inputs = self.with_others(slot, more, window, rng);
        if rng.chance(64_000) {
            let fee = self.fee(wallet, &inputs, 2);
            let Some(sat) = self.sat(&inputs).checked_sub(fee).filter(|sat| *sat > DUST) else { return };
            let bytes = u8::try_from(rng.between(20, 80)).unwrap_or(20);
            let outs = vec![self.payee(sat, owner, wallet, rng), Self::data(bytes, owner)];
            self.commit(Draft { kind: Kind::Payment, by: wallet, inputs, outs });
            return;
        }
        let (kind, brought) = self.payjoin(wallet, rng);
        let fee = self.fee(wallet, &inputs, 2);
        let total = self.sat(&inputs);
        let Some(spendable) = total.checked_sub(fee + DUST).filter(|left| *left > 2 * DUST) else {
            // Too small to be divided.
            return self.pay_all(slot, rng);
        };
        let amount = self.amount(&inputs, spendable, rng);
        let mut payment = match brought {
            Some(coin) => {
                let receiver = self.coins.get(coin).wallet;
                inputs.push(coin);
                let sat = amount + self.coins.get(coin).sat;
                self.out(sat, receiver, Role::Payment, owner)
            }
            None => self.payee(amount, owner, wallet, rng),
        };
        payment.payer = owner;
        let change = self.change(total - fee - amount, wallet);
        self.commit(Draft { kind, by: wallet, inputs, outs: vec![payment, change] });
    }

    /// What is paid: what it costs, or with several inputs so much that all of them are needed.
    fn amount(&self, inputs: &[u32], spendable: u64, rng: &mut Rng) -> u64 {
        let least = inputs.iter().map(|slot| self.coins.get(*slot).sat).min().unwrap_or(0);
        if inputs.len() > 1 && least > DUST && rng.chance(850_000) {
            let low = spendable.saturating_sub(least).max(DUST);
            return rng.between(low, spendable.max(low));
        }
        let mut price = rng.lognormal(1_000_000, 1_900);
        if rng.chance(220_000) {
            price = round(price);
        }
        if price <= spendable && price > DUST {
            return price;
        }
        (spendable * rng.between(5, 90) / 100).max(DUST)
    }

    /// Three outputs or more: a small batch.
    fn pay_many(&mut self, slot: u32, rng: &mut Rng) {
        let wallet = self.coins.get(slot).wallet;
        let owner = self.of(wallet).owner;
        let others = id::at(rng.pareto(1, 800).min(40)) - usize::from(rng.chance(300_000));
        let inputs = self.with_others(slot, others, 2 * self.window(), rng);
        let wanted = id::at(rng.pareto(3, 560).min(400)) - 1;
        let fee = self.fee(wallet, &inputs, wanted + 1);
        let spendable = self.sat(&inputs).saturating_sub(fee + DUST);
        let each = spendable / id::number(wanted + 1);
        if each < 4 * DUST {
            return self.pay_one(slot, rng);
        }
        let mut outs = Vec::with_capacity(wanted + 1);
        let mut left = spendable + DUST;
        for _ in 0..wanted {
            let sat = rng.between(2 * DUST, each);
            left -= sat;
            let to = self.someone(rng);
            outs.push(self.out(sat, to, Role::Payment, owner));
        }
        outs.push(self.change(left, wallet));
        self.commit(Draft { kind: Kind::Batch, by: wallet, inputs, outs });
    }

    /// Somebody or something that is paid for.
    pub(super) fn payee(&mut self, sat: u64, owner: u32, payer: u32, rng: &mut Rng) -> Out {
        match rng.below(1000) {
            0..130 if !self.merchants.is_empty() => {
                let to = rng.pick(&self.merchants);
                self.out(sat, to, Role::Payment, owner)
            }
            130..480 => self.deposit_out(sat, payer, owner, rng),
            480..495 if !self.dice.is_empty() => {
                let to = rng.pick(&self.dice);
                let lock = self.kept_address(to);
                Out { lock, ..self.out(sat, to, Role::Payment, owner) }
            }
            495..499 => {
                // A mixer, under an account for this once.
                let Some(at) = self.some_custodian(EntityKind::Mixer, rng) else {
                    return self.deposit_out(sat, payer, owner, rng);
                };
                let account = self.open_account(at, payer, true);
                self.credit(sat, account, owner)
            }
            499..502 => {
                let lock = Lock::Lost;
                Out {
                    sat: sat.min(1_000),
                    wallet: None,
                    lock,
                    role: Role::Data,
                    account: None,
                    payer: owner,
                    loot: None,
                    rounds: 0,
                }
            }
            _ => {
                let to = self.someone(rng);
                self.out(sat, to, Role::Payment, owner)
            }
        }
    }

    /// Now and then the receiver brings a coin too.
    fn payjoin(&mut self, payer: u32, rng: &mut Rng) -> (Kind, Option<u32>) {
        if !rng.chance(600) || self.merchants.is_empty() {
            return (Kind::Payment, None);
        }
        let receiver = rng.pick(&self.merchants);
        let coin = self.of(receiver).coins.first().copied().filter(|_| receiver != payer);
        coin.map_or((Kind::Payment, None), |coin| (Kind::Payjoin, Some(coin)))
    }
}

/// To one or two digits, as people name sums.
fn round(price: u64) -> u64 {
    let mut unit = 1;
    while price / unit >= 100 {
        unit *= 10;
    }
    (price / unit * unit).max(unit)
}
