//! The fast engines against the specification engine: every end, every reason, every balance.

use fundtrace::spec::Rule;
use fundtrace::trace::{self, Engine, Reach, Seed, Trace, stop};
use fundtrace::{BlockHeight, View};
use proptest::prelude::*;

use crate::mini::StopRow;
use crate::random::{FIRST, case};

const ENGINES: [Engine; 6] = [
    Engine::Auto,
    Engine::Sparse,
    Engine::Dense,
    Engine::SwitchAfter(1),
    Engine::SwitchAfter(2),
    Engine::SwitchAfter(5),
];

/// Says where the two differ, if they do.
fn same(reach: &Reach<'_>, trace: &Trace<'_>) -> Result<(), TestCaseError> {
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
