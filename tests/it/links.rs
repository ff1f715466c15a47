//! Counting the ways through a mix: against vectors of another tool, and against trying everything.

use std::cmp::Reverse;

use fundtrace::detect::links::{self, IntraFees, Limits, Ways};
use proptest::prelude::*;
use serde_json::Value;

/// Every partition of the inputs, every assignment of outputs: the ways and, by output and input, those in which both are in a block.
fn naive(inputs: &[u64], outputs: &[u64], fees: IntraFees) -> (u128, Vec<u128>) {
    let kept = |values: &[u64]| (0..values.len()).filter(|at| values[*at] > 0).collect::<Vec<_>>();
    let (ins, outs) = (kept(inputs), kept(outputs));
    let mut cells = vec![0; inputs.len() * outputs.len()];
    let fee = inputs.iter().sum::<u64>() - outputs.iter().sum::<u64>();
    if ins.len() <= 1 || outs.len() <= 1 {
        for (i, o) in ins.iter().flat_map(|i| outs.iter().map(move |o| (i, o))) {
            cells[o * inputs.len() + i] = 1;
        }
        return (1, cells);
    }
    let mut ways = 0;
    let mut block_of = vec![0; ins.len()];
    partitions(&mut block_of, 0, 0, &mut |block_of, blocks| {
        let mut to = vec![0; outs.len()];
        loop {
            let fits = (0..blocks).all(|block| {
                let of = |side: &[usize], values: &[u64], at: &[usize]| -> i128 {
                    let own = (0..side.len()).filter(|n| side[*n] == block);
                    own.map(|n| i128::from(values[at[n]])).sum()
                };
                let difference = of(block_of, inputs, &ins) - of(&to, outputs, &outs);
                let most = i128::from(fee) + i128::from(fees.taker_sat);
                (-i128::from(fees.maker_sat)..=most).contains(&difference)
            });
            if fits {
                ways += 1;
                for (o, i) in (0..outs.len()).flat_map(|o| (0..ins.len()).map(move |i| (o, i))) {
                    cells[outs[o] * inputs.len() + ins[i]] += u128::from(to[o] == block_of[i]);
                }
            }
            let Some(at) = to.iter().position(|block| block + 1 < blocks) else { break };
            to[at] += 1;
            to[..at].fill(0);
        }
    });
    (ways, cells)
}

/// Restricted growth strings.
fn partitions(block_of: &mut Vec<usize>, at: usize, blocks: usize, then: &mut impl FnMut(&[usize], usize)) {
    if at == block_of.len() {
        return then(block_of, blocks);
    }
    for block in 0..=blocks {
        block_of[at] = block;
        partitions(block_of, at + 1, blocks.max(block + 1), then);
    }
}

fn cells(links: &links::Links) -> Vec<u128> {
    links.matrix.as_ref().unwrap().cells().map(|(_, cell)| cell).collect()
}

proptest! {
    #[test]
    fn counting_agrees_with_trying_everything(
        inputs in prop::collection::vec(0_u64..9, 1..6),
        outputs in prop::collection::vec(0_u64..9, 1..6),
        ratio in prop::sample::select(vec![0_u32, 100_000, 400_000]),
    ) {
        // Inputs cover outputs.
        let mut inputs = inputs;
        let lack = outputs.iter().sum::<u64>().saturating_sub(inputs.iter().sum());
        inputs[0] += lack;
        let fees = IntraFees::of(&inputs, &outputs, ratio);
        let found = links::count(&inputs, &outputs, fees, Limits::default());
        let (ways, matrix) = naive(&inputs, &outputs, fees);
        prop_assert_eq!(found.ways, Ways::Exact(ways));
        prop_assert_eq!(cells(&found), matrix);
    }

    #[test]
    fn a_coarser_count_is_a_lower_bound(
        inputs in prop::collection::vec(1_u64..9, 2..6),
        outputs in prop::collection::vec(1_u64..9, 2..6),
        most in 2_usize..5,
    ) {
        let mut inputs = inputs;
        inputs[0] += outputs.iter().sum::<u64>().saturating_sub(inputs.iter().sum());
        let exact = links::count(&inputs, &outputs, IntraFees::default(), Limits::default());
        let Ways::Exact(ways) = exact.ways else { panic!("small") };
        let mut limits = Limits::default();
        limits.txos_max = most;
        let coarse = links::count(&inputs, &outputs, IntraFees::default(), limits);
        match coarse.ways {
            Ways::Exact(same) => prop_assert_eq!(same, ways),
            Ways::AtLeast(least) => {
                prop_assert!(least <= ways);
                prop_assert!(coarse.matrix.is_none());
                prop_assert_eq!(coarse.deterministic().count(), 0);
                let linked: Vec<(usize, usize)> = exact.deterministic().collect();
                prop_assert!(coarse.separated.iter().all(|pair| !linked.contains(pair)));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn scaling_and_order_change_nothing(
        inputs in prop::collection::vec(1_u64..9, 2..6),
        outputs in prop::collection::vec(1_u64..9, 2..6),
        by in 2_u64..1000,
    ) {
        let mut inputs = inputs;
        inputs[0] += outputs.iter().sum::<u64>().saturating_sub(inputs.iter().sum());
        let count = |inputs: &[u64], outputs: &[u64]| links::count(inputs, outputs, IntraFees::default(), Limits::default());
        let found = count(&inputs, &outputs);
        let scale = |values: &[u64]| values.iter().map(|value| value * by).collect::<Vec<_>>();
        prop_assert_eq!(count(&scale(&inputs), &scale(&outputs)).matrix, found.matrix.clone());
        let (mut turned_in, mut turned_out) = (inputs.clone(), outputs.clone());
        turned_in.reverse();
        turned_out.reverse();
        let mut turned = cells(&count(&turned_in, &turned_out));
        turned.reverse();
        prop_assert_eq!(turned, cells(&found));
    }
}

#[test]
fn perfect_mixes_have_the_published_numbers() {
    // OEIS A023998.
    let published = [1, 3, 16, 131, 1_496, 22_482, 426_833, 9_934_563, 277_006_192];
    for (n, ways) in (1..).zip(published) {
        let found = links::count(&vec![5; n], &vec![5; n], IntraFees::default(), Limits::default());
        assert_eq!(found.ways, Ways::Exact(ways), "{n} by {n}");
    }
    let found = links::count(&[5; 15], &[5; 15], IntraFees::default(), Limits::default());
    assert_eq!(found.ways, Ways::Exact(2_527_342_803_112_928_081));
}

#[test]
fn a_budget_ends_in_undecided() {
    let mut limits = Limits::default();
    limits.steps_max = 10;
    let found = links::count(&[5; 8], &[5; 8], IntraFees::default(), limits);
    assert_eq!((found.ways, found.matrix), (Ways::Undecided, None));
    // Values without an order to them, and too much fee to tell anything from their sums.
    let inputs: Vec<u64> = (0..16).map(|n| 1_000_000 + n * n * 977).collect();
    let outputs: Vec<u64> = (0..16).map(|n| 500_000 + n * n * 1_009).collect();
    assert_eq!(links::count(&inputs, &outputs, IntraFees::default(), Limits::default()).ways, Ways::Undecided);
}

/// Inputs, outputs, ratio in parts of a million, ways; then rows of the matrix in the order given.
type Vector = (&'static [u64], &'static [u64], u32, u128, &'static [&'static [u128]]);

/// Section 4.4 of the design; originals of boltzmann-java and am-i-exposed.
const VECTORS: [Vector; 14] = [
    (&[10, 10], &[8, 2, 3, 7], 0, 3, &[&[2, 2], &[2, 2], &[2, 2], &[2, 2]]),
    (&[10, 10], &[8, 2, 2, 8], 0, 5, &[&[3, 3], &[3, 3], &[3, 3], &[3, 3]]),
    (&[10, 10], &[5, 5, 5, 5], 0, 7, &[&[4, 4], &[4, 4], &[4, 4], &[4, 4]]),
    (&[10, 10, 2], &[8, 2, 2, 8, 2], 0, 28, &[&[16, 16, 7], &[13, 13, 14], &[13, 13, 14], &[16, 16, 7], &[13, 13, 14]]),
    (&[5, 5], &[5, 5], 0, 3, &[&[2, 2], &[2, 2]]),
    (&[5, 5, 5], &[5, 5, 5], 0, 16, &[&[8, 8, 8], &[8, 8, 8], &[8, 8, 8]]),
    (
        &[5, 5, 5, 5],
        &[5, 5, 5, 5],
        0,
        131,
        &[&[53, 53, 53, 53], &[53, 53, 53, 53], &[53, 53, 53, 53], &[53, 53, 53, 53]],
    ),
    (&[5, 5, 10], &[5, 5, 10], 0, 9, &[&[5, 5, 4], &[5, 5, 4], &[4, 4, 8]]),
    // A fee that eats whole inputs: blocks without outputs are counted.
    (&[5, 5, 5], &[5, 3, 2], 0, 28, &[&[14, 14, 14], &[13, 13, 13], &[13, 13, 13]]),
    (&[210, 120, 360, 281], &[250, 80, 500, 141], 0, 2, &[&[2, 2, 1, 1], &[2, 2, 1, 1], &[1, 1, 2, 2], &[1, 1, 2, 2]]),
    (&[2, 3, 4], &[4, 5], 0, 2, &[&[1, 1, 2], &[2, 2, 1]]),
    (&[10_000_000, 1_380_000], &[100_000, 9_850_000, 100_000, 1_270_000], 0, 3, &[&[2, 2], &[3, 1], &[2, 2], &[1, 3]]),
    (&[2_999_808, 2_999_854], &[427_566, 427_566, 2_571_867, 2_572_242], 0, 5, &[&[3, 3], &[3, 3], &[3, 3], &[3, 3]]),
    (
        &[260_994_463, 98_615_817, 84_911_243, 20_112_774, 79_168_410],
        &[14_868_890, 84_077_613, 84_077_613, 15_369_204, 177_252_160, 84_077_613, 84_077_613],
        5_000,
        95,
        &[
            &[11, 73, 21, 27, 27],
            &[35, 38, 46, 33, 33],
            &[35, 38, 46, 33, 33],
            &[9, 27, 43, 73, 73],
            &[95, 9, 25, 11, 11],
            &[35, 38, 46, 33, 33],
            &[35, 38, 46, 33, 33],
        ],
    ),
];

#[test]
fn the_vectors_of_the_design_are_met() {
    for (inputs, outputs, ratio, ways, rows) in VECTORS {
        let fees = IntraFees::of(inputs, outputs, ratio);
        let found = links::count(inputs, outputs, fees, Limits::default());
        assert_eq!(found.ways, Ways::Exact(ways), "{inputs:?} to {outputs:?}");
        assert_eq!(cells(&found), rows.concat(), "{inputs:?} to {outputs:?}");
    }
    // A reference tool's shortcut: one output, one way, though the definition would find three.
    let found = links::count(&[5, 5], &[5], IntraFees::default(), Limits::default());
    assert_eq!(found.ways, Ways::Exact(1));
}

#[test]
fn boltzmann_vectors_are_met() {
    let Some(folder) = std::env::var_os("FUNDTRACE_DATA") else {
        println!("skipped: FUNDTRACE_DATA is not set");
        return;
    };
    let path = std::path::PathBuf::from(folder).join("boltzmann_vectors/boltzmann_vectors.json");
    let vectors: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let numbers = |value: &Value| value.as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect::<Vec<_>>();
    let (mut met, mut matrices) = (0, 0);
    for vector in vectors.as_array().unwrap() {
        let (mut inputs, mut outputs) = (numbers(&vector["inputs"]), numbers(&vector["outputs"]));
        // Their rows and columns go by descending value.
        inputs.sort_by_key(|value| Reverse(*value));
        outputs.sort_by_key(|value| Reverse(*value));
        let ratio = (vector["max_cj_intrafees_ratio"].as_f64().unwrap() * 1e6).round() as u32;
        let found = links::count(&inputs, &outputs, IntraFees::of(&inputs, &outputs, ratio), Limits::default());
        let label = &vector["label"];
        assert_eq!(found.fee_sat, vector["fees"].as_u64().unwrap(), "{label}");
        assert_eq!(found.ways, Ways::Exact(vector["nb_cmbn"].as_u64().unwrap().into()), "{label}");
        let bits = vector["entropy_bits"].as_f64().unwrap();
        assert_eq!(found.entropy_millibits(), Some((bits * 1000.0 + 1e-9).floor() as u64), "{label}");
        if let Some(rows) = vector["mat_lnk_outputs_by_inputs"].as_array() {
            let rows: Vec<u128> = rows.iter().flat_map(numbers).map(u128::from).collect();
            assert_eq!(cells(&found), rows, "{label}");
            matrices += 1;
        }
        met += 1;
    }
    assert!(met >= 19 && matrices >= 10, "{met} vectors, {matrices} matrices");
}
