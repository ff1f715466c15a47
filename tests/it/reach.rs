//! The fast engines against the specification engine: every end, every reason, every balance.

use fundtrace::bitcoin::hashes::Hash;
use fundtrace::bitcoin::{Amount, OutPoint, ScriptBuf, TxOut, Txid};
use fundtrace::chain::{ChainBuilder, NewInput, NewTx};
use fundtrace::spec::Rule;
use fundtrace::trace::{self, Balance, Engine, Reach, Reason, Seed, Trace, stop};
use fundtrace::{BlockHeight, View};
use proptest::prelude::*;

use crate::mini::StopRow;
use crate::random::{FIRST, case};

pub const ENGINES: [Engine; 6] = [
    Engine::Auto,
    Engine::Sparse,
    Engine::Dense,
    Engine::SwitchAfter(1),
    Engine::SwitchAfter(2),
    Engine::SwitchAfter(5),
];

/// Says where the two differ, if they do.
pub fn same(reach: &Reach<'_>, trace: &Trace<'_>) -> Result<(), TestCaseError> {
    let ends: Vec<_> = reach.ends().map(|end| (end.output, end.hops, end.amount, end.reason.clone())).collect();
    let plain: Vec<_> = trace.ends().iter().map(|end| (end.output, end.hops, end.amount, end.reason.clone())).collect();
    prop_assert_eq!(ends, plain);
    for (end, plain) in reach.ends().zip(trace.ends()) {
        prop_assert_eq!(end.by_source.iter().collect::<Vec<_>>(), plain.by_source.clone());
    }
    prop_assert_eq!(reach.balance(), trace.balance());
    prop_assert_eq!(reach.balances(), trace.balances());
    prop_assert_eq!(reach.transactions(), trace.transactions());
    prop_assert_eq!((reach.seeds(), reach.unseeded()), (trace.seeds(), trace.unseeded()));
    prop_assert_eq!((reach.policy(), reach.sources()), (trace.policy(), trace.sources()));
    prop_assert_eq!((reach.stop(), reach.options()), (trace.stop(), trace.options()));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_engine_agrees_with_the_specification(case in case(false), one in any::<bool>()) {
        let chain = case.chain();
        let cut = BlockHeight::from_u32(FIRST + u32::try_from(case.spare % 4).unwrap());
        for view in [chain.view(), chain.as_of(cut)] {
            let mut seeds = case.seeds(view);
            if one {
                seeds.iter_mut().for_each(|seed| seed.label = "one".into());
            }
            for stops in [&case.stops[..], &[]] {
                agree(view, &seeds, stops, &case.options)?;
            }
        }
    }
}

fn agree(view: View<'_>, seeds: &[Seed], stops: &[StopRow], options: &trace::Options) -> Result<(), TestCaseError> {
    let never = stops.is_empty();
    for rule in Rule::ALL {
        let plain = rule.forward(view, seeds, &*StopRow::all(stops), options);
        for engine in ENGINES {
            let reach = if never {
                trace::reach_with(engine, view, seeds, rule, &stop::never(), options)
            } else {
                trace::reach_with(engine, view, seeds, rule, &*StopRow::all(stops), options)
            };
            same(&reach, &plain)?;
        }
    }
    Ok(())
}

/// Every coinbase's outputs as one source.
pub fn coinbases(view: View<'_>) -> Vec<Seed> {
    let coinbases = view.txs().filter(|tx| tx.is_coinbase()).flat_map(|tx| tx.outputs());
    coinbases.map(|output| output.seed("all")).collect()
}

/// Checks that everything that lives is tainted whole, and returns the balance.
pub fn check_full(reach: &Reach<'_>) -> Balance {
    let view = reach.view();
    let live =
        view.txs().flat_map(|tx| tx.outputs()).filter(|output| output.spender().is_none() && !output.is_unspendable());
    let live: Vec<_> =
        live.map(|output| (output.index(), output.value().unwrap())).filter(|(_, value)| value.to_sat() > 0).collect();
    let held: Vec<_> = reach.ends().map(|end| (end.output, end.amount)).collect();
    assert_eq!(held, live);
    assert!(reach.ends().all(|end| *end.reason == Reason::Unspent));
    assert!(reach.balance().adds_up());
    reach.balance()
}

/// A way of more hops than a streamed cell can tell.
#[test]
fn a_long_way_is_told_by_every_engine() {
    const WAY: u32 = 65_600;
    let txid = |n: u32| {
        let mut bytes = [7; 32];
        bytes[..4].copy_from_slice(&n.to_le_bytes());
        Txid::from_byte_array(bytes)
    };
    let out = |sat| TxOut { value: Amount::from_sat(sat), script_pubkey: ScriptBuf::new() };
    let mut builder = ChainBuilder::new();
    for n in 1..=WAY {
        let mut input = NewInput::new(OutPoint::new(txid(n - 1), 0));
        if n == 1 {
            input = input.prevout(out(9));
        }
        builder.insert(NewTx::claimed(txid(n), vec![input], vec![out(9)]).height(BlockHeight::from_u32(n))).unwrap();
    }
    let chain = builder.finish().unwrap();
    let seeds = [chain.view().output_at(OutPoint::new(txid(0), 0)).unwrap().seed("far")];
    for rule in [Rule::Poison, Rule::Haircut] {
        for (engine, height) in
            [(Engine::Sparse, WAY), (Engine::Dense, WAY), (Engine::Dense, 65_534), (Engine::Auto, 65_533)]
        {
            let view = chain.as_of(BlockHeight::from_u32(height));
            let reach = trace::reach_with(engine, view, &seeds, rule, &stop::never(), &trace::Options::default());
            let ends: Vec<_> = reach.ends().map(|end| (end.hops, end.amount.to_sat())).collect();
            assert_eq!((ends, reach.transactions()), (vec![(height, 9)], u64::from(height)), "{rule} {engine:?}");
        }
    }
}

/// Each of many ends is found by its output.
#[test]
fn every_end_is_found_by_its_output() {
    const ENDS: u32 = 50_000;
    let out = TxOut { value: Amount::from_sat(1), script_pubkey: ScriptBuf::new() };
    let loot = OutPoint::new(Txid::from_byte_array([1; 32]), 0);
    let value = Amount::from_sat(u64::from(ENDS));
    let input = NewInput::new(loot).prevout(TxOut { value, script_pubkey: ScriptBuf::new() });
    let outputs = (0..ENDS).map(|_| out.clone()).collect();
    let mut builder = ChainBuilder::new();
    builder.insert(NewTx::claimed(Txid::from_byte_array([2; 32]), vec![input], outputs)).unwrap();
    let chain = builder.finish().unwrap();
    let seeds = [chain.view().output_at(loot).unwrap().seed("loot")];
    let reach = trace::reach(chain.view(), &seeds, Rule::Fifo, &stop::never(), &trace::Options::default());
    let ends: Vec<_> = reach.ends().collect();
    assert_eq!(ends.len(), usize::try_from(ENDS).unwrap());
    for end in ends.iter().step_by(499) {
        assert_eq!(reach.end(end.output).as_ref(), Some(end));
    }
}

#[cfg(feature = "simulate")]
mod on_a_world {
    use super::*;
    use fundtrace::TxIndex;
    use fundtrace::spec::{self, Job};
    use fundtrace::trace::{CoinbaseOrder, Fees, Options};

    #[test]
    fn all_is_tainted_when_every_coinbase_is() {
        let chain = crate::worlds::chain(3_000);
        let (seeds, to_miner) = (coinbases(chain.view()), Options::default().fees(Fees::Coinbase));
        for rule in Rule::ALL.into_iter().filter(|rule| *rule != Rule::Poison) {
            for engine in ENGINES {
                for options in [to_miner, to_miner.coinbase_order(CoinbaseOrder::FeesFirst), Options::default()] {
                    let reach = trace::reach_with(engine, chain.view(), &seeds, rule, &stop::never(), &options);
                    assert_eq!(check_full(&reach).fees.to_sat() == 0, options.fees == Fees::Coinbase);
                }
            }
        }
    }

    /// Every `step`-th transaction's first output is a source of its own.
    fn spread(view: View<'_>, step: usize) -> Vec<Seed> {
        let txs =
            (0..view.txs().count()).step_by(step).map(|at| view.tx(TxIndex::from_u32(u32::try_from(at).unwrap())));
        txs.map(|tx| tx.outputs().next().unwrap().seed(tx.txid().to_string())).collect()
    }

    #[test]
    fn many_sources_through_a_whole_world_agree() {
        let chain = crate::worlds::chain(3_000);
        let view = chain.view();
        // 60 sources fit the lanes, 120 do not.
        for step in [300, 50, 25] {
            agree(view, &spread(view, step), &[], &Options::default().fees(Fees::Coinbase)).unwrap();
        }
    }

    /// Several windows, each in several parts.
    #[test]
    fn a_chain_is_streamed_alike_on_any_number_of_threads() {
        let chain = crate::worlds::chain(9_000);
        let view = chain.view();
        let many = spread(view, 200);
        let one: Vec<Seed> = many.iter().map(|seed| Seed::new(seed.output, "one")).collect();
        for (rule, seeds) in [(Rule::Poison, &one), (Rule::Poison, &many), (Rule::Haircut, &one), (Rule::Tiho, &one)] {
            let run = |engine| {
                format!("{:?}", trace::reach_with(engine, view, seeds, rule, &stop::never(), &Options::default()))
            };
            let sparse = run(Engine::Sparse);
            for threads in [1, 2, 3, 8, 64] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                assert!(pool.install(|| run(Engine::Dense)) == sparse, "{rule}, {threads} threads");
            }
        }
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let chain = crate::worlds::chain(3_000);
        let view = chain.view();
        let seeds = spread(view, 40);
        let stop = stop::hops(9);
        let mut jobs: Vec<Job<'_, '_>> = Vec::new();
        for (at, seed) in seeds.iter().enumerate() {
            jobs.push(Job::new(view, std::slice::from_ref(seed), Rule::ALL[at % 7]));
        }
        jobs.push(Job::new(view, &seeds, Rule::Haircut));
        jobs.push(Job::new(view, &seeds, Rule::Lifo).stop(&stop).options(Options::default().fees(Fees::Coinbase)));
        let run = || format!("{:?}", spec::reach(&jobs));
        let alone: Vec<_> = jobs.iter().map(|job| spec::reach(&[*job]).remove(0)).collect();
        let expected = format!("{alone:?}");
        for threads in [1, 2, 3, 8, 64] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert!(pool.install(run) == expected, "{threads} threads");
        }
    }
}
