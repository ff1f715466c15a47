//! Random small chains, without contradictions by construction. Drawn from a tape of numbers, so that proptest can shrink them:
//! zeros mean few and simple transactions.

use fundtrace::bitcoin::Network;
use fundtrace::trace::{CoinbaseOrder, Fees, Options};
use fundtrace::{Chain, View};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use crate::mini::{In, Mini, Out, Row, StopRow, outpoint, sat};

/// Regtest halves every 150 blocks: from here to 4199 a block creates 37 satoshis.
pub const FIRST: u32 = 4050;
const SUBSIDY: u64 = 37;

/// A chain with seeds and the terms of a run.
#[derive(Clone, Debug)]
pub struct Case {
    pub mini: Mini,
    /// `name:vout=label`; of stubs alone where `from_stubs` was asked for.
    pub seeds: Vec<String>,
    pub options: Options,
    pub stops: Vec<StopRow>,
    /// The last block.
    pub tip: u32,
    /// Numbers left over, for tests that need more of them.
    pub spare: u64,
}

struct Tape(std::vec::IntoIter<u64>);

impl Tape {
    /// A number below `end`; zero once the tape is over.
    fn below(&mut self, end: u64) -> u64 {
        self.0.next().unwrap_or(0) % end
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == n - 1
    }
}

pub fn case(from_stubs: bool) -> impl Strategy<Value = Case> {
    prop::collection::vec(any::<u64>(), 20..260).prop_map(move |tape| build(Tape(tape.into_iter()), from_stubs))
}

/// An output that can still be spent.
struct Coin {
    name: String,
    vout: u32,
    value: u64,
    coinbase_of: Option<u32>,
}

fn build(mut tape: Tape, from_stubs: bool) -> Case {
    // Every block whole from FIRST to the tip, or gaps: unknown heights, unknown values, missing coinbases.
    let complete = !tape.one_in(2);
    let blocks = 1 + u32::try_from(tape.below(4)).unwrap();
    let mut rows = Vec::new();
    let mut coins: Vec<Coin> = Vec::new();
    let mut seeds: Vec<String> = Vec::new();
    let mut stubs: Vec<String> = Vec::new();
    let mut count = 0;
    for at in FIRST..FIRST + blocks {
        let positions = tape.one_in(2);
        let mut position = 0;
        let mut fees = Some(0);
        for _ in 0..1 + tape.below(4) {
            count += 1;
            // The letter decides the order of txids, which must not decide the result.
            let letter = char::from(b'a' + u8::try_from(tape.below(26)).unwrap());
            let unplaced = !complete && tape.one_in(8);
            position += 1;
            let name = format!("{letter}{count}");
            let mut row = Row { name, height: Some(at), position: None, inputs: Vec::new(), outputs: Vec::new() };
            row.position = positions.then_some(position);
            if unplaced {
                (row.height, row.position) = (None, None);
            }
            let mut value = Some(0);
            for vin in 0..1 + tape.below(3) {
                let free = coins.iter().filter(|coin| coin.coinbase_of != Some(at)).count() as u64;
                if free > 0 && tape.below(4) > 0 {
                    // The newest coins first, so that chains grow.
                    let back = tape.below(free.min(6));
                    let spendable: Vec<usize> =
                        (0..coins.len()).rev().filter(|n| coins[*n].coinbase_of != Some(at)).collect();
                    let coin = coins.remove(spendable[usize::try_from(back).unwrap()]);
                    value = value.map(|sum| sum + coin.value);
                    let claimed = tape.one_in(4).then_some(coin.value);
                    row.inputs.push(In { of: coin.name, vout: coin.vout, value: claimed, script: None });
                } else {
                    let (of, vout) = (format!("S{count}"), u32::try_from(vin * 3).unwrap());
                    let unknown = !complete && tape.one_in(10);
                    let stub = (!unknown).then(|| if tape.one_in(6) { 0 } else { 1 + tape.below(30) });
                    value = value.zip(stub).map(|(sum, stub)| sum + stub);
                    if !unknown {
                        stubs.push(format!("{of}:{vout}"));
                    }
                    row.inputs.push(In { of, vout, value: stub, script: None });
                }
            }
            let fee = pay(&mut tape, &mut row, value.unwrap_or(50), true);
            fees = fees.zip(value).map(|(fees, _)| fees + if unplaced { 0 } else { fee });
            keep(&mut coins, &mut seeds, &row, None);
            rows.push(row);
        }
        if complete || tape.one_in(2) {
            let claimed = SUBSIDY + fees.unwrap_or(0) + if complete { 0 } else { tape.below(6).saturating_sub(4) };
            let mut row = Row {
                name: format!("{}cb{at}", ["m", "zz", "1"][usize::try_from(tape.below(3)).unwrap()]),
                height: Some(at),
                position: None,
                inputs: Vec::new(),
                outputs: Vec::new(),
            };
            let exact = tape.below(3) > 0;
            pay(&mut tape, &mut row, claimed, !exact);
            keep(&mut coins, &mut seeds, &row, Some(at));
            rows.push(row);
        }
    }
    let mut mini = Mini::of(rows).network(Network::Regtest);
    if complete {
        mini = mini.complete(FIRST, FIRST + blocks - 1);
    }
    let mut named: Vec<String> = if from_stubs { stubs } else { [stubs, seeds].concat() };
    let mut picked = Vec::new();
    for n in 0..1 + tape.below(4) {
        if !named.is_empty() {
            let name = named.swap_remove(usize::try_from(tape.below(named.len() as u64)).unwrap());
            // Sometimes two outputs have one label.
            let label = if tape.one_in(4) { 0 } else { n };
            picked.push(format!("{name}={}", ["A", "B", "C", "D"][usize::try_from(label).unwrap()]));
            if tape.one_in(12) {
                picked.push(format!("{name}=D"));
            }
        }
    }
    let stops = (0..tape.below(3)).map(|_| stop(&mut tape)).collect();
    let fees = if tape.below(3) > 0 { Fees::Coinbase } else { Fees::Drop };
    let coinbase_order = if tape.one_in(2) { CoinbaseOrder::FeesFirst } else { CoinbaseOrder::SubsidyFirst };
    let options = Options::default().fees(fees).coinbase_order(coinbase_order);
    let spare = tape.below(u64::MAX);
    Case { mini, seeds: picked, options, stops, tip: FIRST + blocks - 1, spare }
}

/// Divides a value over one to four outputs and returns what is left, the fee.
fn pay(tape: &mut Tape, row: &mut Row, value: u64, with_rest: bool) -> u64 {
    let mut left = value;
    for _ in 0..tape.below(4) {
        let value = tape.below(left + 1);
        left -= value;
        let script = tape.one_in(8).then(|| "return".to_string());
        row.outputs.push(Out { script, ..Out::of(value) });
    }
    let fee = if with_rest { left.min(tape.below(8)) } else { 0 };
    row.outputs.push(Out::of(left - fee));
    fee
}

fn keep(coins: &mut Vec<Coin>, seeds: &mut Vec<String>, row: &Row, coinbase_of: Option<u32>) {
    for (vout, output) in (0..).zip(&row.outputs) {
        seeds.push(format!("{}:{vout}", row.name));
        if output.script.is_none() {
            coins.push(Coin { name: row.name.clone(), vout, value: output.value, coinbase_of });
        }
    }
}

fn stop(tape: &mut Tape) -> StopRow {
    match tape.below(5) {
        0 => StopRow::Hops(u32::try_from(tape.below(4)).unwrap()),
        1 => StopRow::Below(tape.below(12)),
        2 => StopRow::AsOf(FIRST + u32::try_from(tape.below(4)).unwrap()),
        3 => StopRow::Budget(tape.below(6)),
        _ => StopRow::Outputs(usize::try_from(2 + tape.below(3)).unwrap()),
    }
}

impl Case {
    pub fn chain(&self) -> Chain {
        self.mini.chain()
    }

    /// Seeds as the twin takes them, by index in this chain.
    pub fn twin_seeds(&self, chain: &Chain) -> Vec<crate::twin::TwinSeed> {
        self.seeds(chain.view()).into_iter().map(|seed| (seed.output, seed.label)).collect()
    }

    pub fn seeds(&self, view: View<'_>) -> Vec<fundtrace::trace::Seed> {
        self.seeds.iter().map(|text| crate::mini::seed(view.unbounded(), text)).collect()
    }
}

#[test]
fn random_chains_are_worth_tracing() {
    // A generator that made only clean dust would prove nothing.
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut carried, mut ends, mut merged) = (0, 0, 0);
    for _ in 0..100 {
        let case = case(false).new_tree(&mut runner).unwrap().current();
        let chain = case.chain();
        let seeds: Vec<&str> = case.seeds.iter().map(String::as_str).collect();
        let trace = crate::mini::follow(chain.view(), &seeds, &fundtrace::taint::Fifo);
        carried += trace.carries().len();
        ends += trace.ends().len();
        merged += trace.ends().iter().filter(|end| end.by_source.len() > 1).count();
        assert!(chain.view().txs().all(|tx| tx.output_value().unwrap() < sat(1_000)));
        assert!(outpoint("a:0").vout == 0);
    }
    assert!(carried > 150 && ends > 150 && merged > 5, "{carried} carried, {ends} ends, {merged} merged");
}
