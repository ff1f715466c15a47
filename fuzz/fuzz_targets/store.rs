//! Any bytes as a store: opened, verified, and walked if they pass. `tests/it/store.rs` replays the corpus.
#![no_main]

use fundtrace::Chain;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(chain) = Chain::from_bytes(bytes)
        && chain.verify().is_ok()
    {
        for tx in chain.view().txs() {
            let _ = (tx.fee(), tx.height(), tx.time());
            for output in tx.outputs() {
                let _ = (output.spent(), output.address(), output.script());
            }
        }
        let _ = (chain.summary(), chain.digest());
    }
});
