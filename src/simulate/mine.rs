//! Plans made into blocks: keys, scripts, signatures in form only, txids, merkle roots, proof of work.
