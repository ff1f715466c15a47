//! The seven rules in their plainest form, satoshi by satoshi, each as a rule that either engine can run.

use std::collections::{BTreeMap, BTreeSet};

use fundtrace::SourceIndex;
use fundtrace::bitcoin::Amount;
use fundtrace::taint::{Lot, Origin, Part, Taint};

/// FIFO, or from the back LIFO, on a literal array with an entry a satoshi; empty when all are clean.
pub struct Literal {
    pub back: bool,
}

pub type Sats = Vec<Option<SourceIndex>>;

fn number(amount: Amount) -> usize {
    usize::try_from(amount.to_sat()).unwrap()
}

impl Taint for Literal {
    const LINEAR: bool = true;
    const CONSERVING: bool = true;
    type Mark = Sats;

    fn name(&self) -> &'static str {
        if self.back { "lifo" } else { "fifo" }
    }

    fn seed(&self, value: Amount, source: SourceIndex) -> Sats {
        vec![Some(source); number(value)]
    }

    fn spread(&self, _: usize, inputs: &[Lot<Sats>], outputs: &[Amount], into: &mut Vec<Sats>) {
        let mut row: Sats = Vec::new();
        for lot in inputs {
            let clean = vec![None; number(lot.value)];
            row.extend(if lot.mark.is_empty() { clean } else { lot.mark.clone() });
        }
        if self.back {
            row.reverse();
        }
        let mut row = row.into_iter();
        *into = outputs.iter().map(|value| row.by_ref().take(number(*value)).collect()).collect();
        assert_eq!(row.next(), None, "outputs and fee are worth the inputs");
        for mark in into {
            if mark.iter().all(Option::is_none) {
                mark.clear();
            }
        }
    }

    fn fee(&self, mut mark: Sats) -> Sats {
        if self.back {
            mark.reverse();
        }
        mark
    }

    fn amount(&self, mark: &Sats) -> Amount {
        Amount::from_sat(mark.iter().flatten().count() as u64)
    }

    fn parts(&self, mark: &Sats, each: &mut dyn FnMut(Part)) {
        for (at, source) in mark.iter().enumerate() {
            if let Some(source) = source {
                each(Part { source: *source, offset: Amount::from_sat(at as u64), amount: Amount::ONE_SAT });
            }
        }
    }

    fn origin(&self) -> Origin {
        Origin::RowFront
    }
}

/// The rules that keep amounts and no order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Plain {
    Haircut,
    Seniority,
    Juniority,
    Tiho,
}

pub type Amounts = BTreeMap<SourceIndex, u64>;

impl Taint for Plain {
    const LINEAR: bool = false;
    const CONSERVING: bool = true;
    type Mark = Amounts;

    fn name(&self) -> &'static str {
        "plain"
    }

    fn seed(&self, value: Amount, source: SourceIndex) -> Amounts {
        BTreeMap::from([(source, value.to_sat())]).into_iter().filter(|(_, sat)| *sat > 0).collect()
    }

    fn spread(&self, sources: usize, inputs: &[Lot<Amounts>], outputs: &[Amount], into: &mut Vec<Amounts>) {
        let mut from = Amounts::new();
        for (source, sat) in inputs.iter().flat_map(|lot| &lot.mark) {
            *from.entry(*source).or_default() += sat;
        }
        let all: u64 = inputs.iter().map(|lot| lot.value.to_sat()).sum();
        let tainted: u64 = from.values().sum();
        let values: Vec<u64> = outputs.iter().map(|value| value.to_sat()).collect();
        let totals = match self {
            Self::Haircut if sources > 1 => {
                let mut owed = vec![all - tainted];
                owed.extend(from.values());
                let rows = draw(&owed, &values);
                *into = rows.iter().map(|row| label(&from, &row[1..])).collect();
                return;
            }
            Self::Haircut => largest_remainder(tainted, all, &values),
            // A slot a satoshi, in the order the rule fills them; the tainted ones come first, or the clean ones.
            Self::Seniority => fill(&values, &(0..values.len()).collect::<Vec<_>>(), 0, tainted),
            Self::Juniority => fill(&values, &(0..values.len()).collect::<Vec<_>>(), all - tainted, tainted),
            Self::Tiho => {
                let fee = values.len() - 1;
                let mut order: Vec<usize> = (0..fee).collect();
                order.sort_by(|a, b| values[*b].cmp(&values[*a]).then(a.cmp(b)));
                order.push(fee);
                fill(&values, &order, 0, tainted)
            }
        };
        let owed: Vec<u64> = from.values().copied().collect();
        *into = draw(&owed, &totals).iter().map(|row| label(&from, row)).collect();
    }

    fn amount(&self, mark: &Amounts) -> Amount {
        Amount::from_sat(mark.values().sum())
    }

    fn parts(&self, mark: &Amounts, each: &mut dyn FnMut(Part)) {
        for (source, sat) in mark {
            each(Part { source: *source, offset: Amount::ZERO, amount: Amount::from_sat(*sat) });
        }
    }

    fn origin(&self) -> Origin {
        Origin::Shares
    }
}

fn label(from: &Amounts, row: &[u64]) -> Amounts {
    from.keys().copied().zip(row.iter().copied()).filter(|(_, sat)| *sat > 0).collect()
}

fn fill(values: &[u64], order: &[usize], skip: u64, tainted: u64) -> Vec<u64> {
    let mut totals = vec![0; values.len()];
    let slots = order.iter().flat_map(|at| std::iter::repeat_n(*at, usize::try_from(values[*at]).unwrap()));
    slots.skip(usize::try_from(skip).unwrap()).take(usize::try_from(tainted).unwrap()).for_each(|at| totals[at] += 1);
    totals
}

fn largest_remainder(tainted: u64, all: u64, values: &[u64]) -> Vec<u64> {
    if all == 0 {
        return vec![0; values.len()];
    }
    let mut totals: Vec<u64> = values.iter().map(|value| value * tainted / all).collect();
    let mut given = BTreeSet::new();
    while totals.iter().sum::<u64>() < tainted {
        // The first output of those with the greatest remainder that has not had its satoshi.
        let mut best = None;
        for (at, value) in values.iter().enumerate().filter(|(at, _)| !given.contains(at)) {
            let rest = value * tainted % all;
            if best.is_none_or(|(_, greatest)| rest > greatest) {
                best = Some((at, rest));
            }
        }
        let (at, _) = best.unwrap();
        given.insert(at);
        totals[at] += 1;
    }
    totals
}

/// Section 1.3's draw, as it is written there.
fn draw(owed: &[u64], values: &[u64]) -> Vec<Vec<u64>> {
    let r: Vec<i64> = owed.iter().map(|sat| i64::try_from(*sat).unwrap()).collect();
    let v_all: i64 = r.iter().sum();
    let mut drawn = vec![0; r.len()];
    let mut p = 0;
    let mut rows = Vec::new();
    for value in values {
        let v = i64::try_from(*value).unwrap();
        p += v;
        let mut x = vec![0; r.len()];
        if v_all > 0 {
            // q[s] is a fraction over v_all, rest[s] the part of it that x[s] does not cover.
            let q: Vec<i64> = (0..r.len()).map(|s| p * r[s] - drawn[s] * v_all).collect();
            for s in 0..r.len() {
                x[s] = q[s].div_euclid(v_all).min(r[s] - drawn[s]).max(0);
            }
            while x.iter().sum::<i64>() < v {
                let mut open: Vec<usize> = (0..r.len()).filter(|s| x[*s] < r[*s] - drawn[*s]).collect();
                open.sort_by_key(|s| (-(q[*s] - x[*s] * v_all), *s));
                x[open[0]] += 1;
            }
            while x.iter().sum::<i64>() > v {
                let mut open: Vec<usize> = (0..r.len()).filter(|s| x[*s] > 0).collect();
                open.sort_by_key(|s| (q[*s] - x[*s] * v_all, *s));
                x[open[0]] -= 1;
            }
        }
        for s in 0..r.len() {
            drawn[s] += x[s];
        }
        rows.push(x.into_iter().map(|x| u64::try_from(x).unwrap()).collect());
    }
    rows
}

/// Poison as a set of sources beside the value.
pub struct PlainPoison;

impl Taint for PlainPoison {
    const LINEAR: bool = true;
    const CONSERVING: bool = false;
    type Mark = (u64, BTreeSet<SourceIndex>);

    fn name(&self) -> &'static str {
        "poison"
    }

    fn seed(&self, value: Amount, source: SourceIndex) -> Self::Mark {
        (value.to_sat(), BTreeSet::from([source]))
    }

    fn spread(&self, _: usize, inputs: &[Lot<Self::Mark>], outputs: &[Amount], into: &mut Vec<Self::Mark>) {
        let all: BTreeSet<SourceIndex> = inputs.iter().flat_map(|lot| lot.mark.1.iter().copied()).collect();
        let value = |value: &Amount| if all.is_empty() { 0 } else { value.to_sat() };
        *into = outputs.iter().map(|amount| (value(amount), all.clone())).collect();
    }

    fn amount(&self, mark: &Self::Mark) -> Amount {
        Amount::from_sat(mark.0)
    }

    fn parts(&self, mark: &Self::Mark, each: &mut dyn FnMut(Part)) {
        for source in &mark.1 {
            each(Part { source: *source, offset: Amount::ZERO, amount: Amount::from_sat(mark.0) });
        }
    }

    fn origin(&self) -> Origin {
        Origin::Whole
    }
}

/// Each of the library's rules with its plain twin: `each_pair!((rule, plain) => { .. })`.
macro_rules! each_pair {
    (($rule:ident, $plain:ident) => $body:block) => {{
        {
            let ($rule, $plain) = (fundtrace::taint::Poison, $crate::oracle::PlainPoison);
            $body
        }
        {
            let ($rule, $plain) = (fundtrace::taint::Haircut, $crate::oracle::Plain::Haircut);
            $body
        }
        {
            let ($rule, $plain) = (fundtrace::taint::Fifo, $crate::oracle::Literal { back: false });
            $body
        }
        {
            let ($rule, $plain) = (fundtrace::taint::Lifo, $crate::oracle::Literal { back: true });
            $body
        }
        {
            let ($rule, $plain) = (fundtrace::taint::Seniority, $crate::oracle::Plain::Seniority);
            $body
        }
        {
            let ($rule, $plain) = (fundtrace::taint::Juniority, $crate::oracle::Plain::Juniority);
            $body
        }
        {
            let ($rule, $plain) = (fundtrace::taint::Tiho, $crate::oracle::Plain::Tiho);
            $body
        }
    }};
}
pub(crate) use each_pair;
