//! Simulated chains: the same seed, the same bytes; and what a node would check.

use std::collections::HashMap;

use fundtrace::Chain;
use fundtrace::bitcoin::{Network, OutPoint, consensus::serialize};
use fundtrace::chain::Writer;
use fundtrace::simulate::{Mined, World, WorldSpec};

fn blocks(txs: u64, seed: u64) -> Vec<Mined> {
    World::new(WorldSpec::new(txs), seed).collect()
}

fn store(blocks: &[Mined]) -> Chain {
    let mut writer = Writer::new(Network::Regtest, &std::env::temp_dir());
    for block in blocks {
        writer.block(block.height(), block.block().header, block.records()).unwrap();
    }
    let mut store = Vec::new();
    writer.finish().unwrap().write_to(&mut store).unwrap();
    Chain::from_bytes(store).unwrap()
}

/// Everything of a world as bytes: blocks and truth.
fn bytes(blocks: &[Mined]) -> Vec<u8> {
    blocks
        .iter()
        .flat_map(|block| {
            [serialize(block.block()), format!("{:?}", block.rows().collect::<Vec<_>>()).into_bytes()].concat()
        })
        .collect()
}

#[test]
fn a_seed_is_a_world() {
    let world = bytes(&blocks(3_000, 5));
    assert_eq!(bytes(&blocks(3_000, 5)), world);
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert!(pool.install(|| bytes(&blocks(3_000, 5))) == world, "{threads} threads");
    }
    assert!(bytes(&blocks(3_000, 6)) != world);
}

/// What Bitcoin Core checks and we can: links, proof of work, merkle roots, witness commitments, heights in coinbases, maturity, finality, weight, no
/// coin spent twice or made from nothing.
#[test]
fn a_node_would_take_it_but_for_the_signatures() {
    let blocks = blocks(20_000, 11);
    let mut unspent: HashMap<OutPoint, (u64, Option<u32>)> = HashMap::new();
    for pair in blocks.windows(2) {
        let (below, mined) = (&pair[0], &pair[1]);
        let (block, height) = (mined.block(), mined.height().to_u32());
        let header = block.header;
        assert_eq!(header.prev_blockhash, below.block().block_hash());
        assert!(header.time > below.block().header.time);
        header.validate_pow(header.target()).unwrap();
        assert!(block.check_merkle_root() && block.check_witness_commitment());
        // `bitcoin` does not read the one-byte pushes that Bitcoin Core asks for up to 16.
        assert!(height <= 16 || block.bip34_block_height().unwrap() == u64::from(height));
        assert!(block.weight().to_wu() <= 4_000_000);
        let mut fees = 0;
        for tx in &block.txdata[1..] {
            assert!(tx.lock_time.to_consensus_u32() < height);
            let mut paid = 0;
            for input in &tx.input {
                let (sat, coinbase) = unspent.remove(&input.previous_output).expect("nobody spends what is not there");
                assert!(coinbase.is_none_or(|made| height >= made + 100), "a reward is spent before its time");
                paid += sat;
            }
            let made: u64 = tx.output.iter().map(|output| output.value.to_sat()).sum();
            fees += paid.checked_sub(made).expect("nobody makes money");
            add(&mut unspent, tx, None);
        }
        let claimed: u64 = block.txdata[0].output.iter().map(|output| output.value.to_sat()).sum();
        assert!(claimed <= fees + (5_000_000_000_u64 >> (height / 150)));
        add(&mut unspent, &block.txdata[0], Some(height));
    }
    let chain = store(&blocks);
    chain.verify().unwrap();
    assert!(chain.summary().txs - chain.summary().blocks >= 20_000);
}

fn add(
    unspent: &mut HashMap<OutPoint, (u64, Option<u32>)>,
    tx: &fundtrace::bitcoin::Transaction,
    coinbase: Option<u32>,
) {
    let txid = tx.compute_txid();
    for (vout, output) in (0..).zip(&tx.output) {
        if !output.script_pubkey.is_op_return() {
            assert!(unspent.insert(OutPoint::new(txid, vout), (output.value.to_sat(), coinbase)).is_none());
        }
    }
}
