//! Partitions and samplers: who draws which sample in which round.

#![expect(clippy::unwrap_used, reason = "a test may unwrap, and so may what it calls")]

use std::{collections::BTreeSet, sync::Arc};

use phalanx::data::{
    partition::{Deal, Iid, PartitionError, PartitionRule, Shards, SharedStream},
    sampler::{NoiseSampler, Order, SamplerError, Shard, ShardSampler},
};
use phalanx_actors::learner::Sampler;
use phalanx_robust::random::Seed;
use proptest::prelude::*;
use rand::{Rng, seq::SliceRandom};

fn labels(count: usize) -> Arc<Vec<u8>> {
    Arc::new((0..count).map(|index| (index % 7) as u8).collect())
}

fn shards(samples: usize, workers: usize, seed: u64) -> Vec<Arc<[u32]>> {
    match Iid::default().deal(&labels(samples), workers, Seed(seed)).unwrap() {
        Deal::Shards(Shards { shards, order: Order::Epochs, moved: 0 }) => shards,
        other => panic!("{other:?}"),
    }
}

fn sampler(size: u32, batch: usize, order: Order) -> ShardSampler {
    // Odd positions, so that a position in the shard is not one in the training set.
    let indices = (0..size).map(|index| 2 * index + 1).collect();
    let shard = Shard { worker: 3, indices, labels: labels(2 * size as usize) };
    ShardSampler::new(shard, batch, order, Seed(1)).unwrap()
}

fn indices(sampler: &mut dyn Sampler, rounds: impl Iterator<Item = u64>) -> Vec<usize> {
    rounds.flat_map(|round| sampler.draw(round).indices).collect()
}

proptest! {
    #[test]
    fn iid_shards_are_disjoint_of_equal_size_and_leave_out_the_remainder(
        samples in 1usize..400, workers in 1usize..40, seed: u64,
    ) {
        prop_assume!(samples >= workers);
        let shards = shards(samples, workers, seed);
        prop_assert_eq!(shards.len(), workers);
        prop_assert!(shards.iter().all(|shard| shard.len() == samples / workers));
        let all: BTreeSet<u32> = shards.iter().flat_map(|shard| shard.iter().copied()).collect();
        prop_assert_eq!(all.len(), samples / workers * workers);
        prop_assert!(all.iter().all(|&index| (index as usize) < samples));
    }

    #[test]
    fn every_epoch_visits_every_sample_once(size in 1u32..60, batch in 1usize..60, epochs in 1usize..4) {
        prop_assume!(batch <= size as usize);
        let mut sampler = sampler(size, batch, Order::Epochs);
        let rounds = (epochs * size as usize).div_ceil(batch) as u64;
        let drawn = indices(&mut sampler, 1..=rounds);
        let expected: BTreeSet<usize> = (0..size as usize).map(|index| 2 * index + 1).collect();
        for epoch in drawn.chunks_exact(size as usize) {
            prop_assert_eq!(&epoch.iter().copied().collect::<BTreeSet<_>>(), &expected);
        }
    }
}

#[test]
fn the_seed_decides_the_deal() {
    assert_eq!(shards(100, 7, 1), shards(100, 7, 1));
    assert_ne!(shards(100, 7, 1), shards(100, 7, 2));
    let few = Iid::default().deal(&labels(3), 4, Seed(1)).unwrap_err();
    assert_eq!(few, PartitionError::Few { samples: 3, workers: 4 });
}

#[test]
fn a_draw_is_a_function_of_the_round_alone() {
    for order in [Order::Epochs, Order::Replacement] {
        let in_order: Vec<_> = (1..=40)
            .map({
                let mut sampler = sampler(11, 4, order);
                move |round| sampler.draw(round)
            })
            .collect();
        let mut anew = sampler(11, 4, order);
        for round in [40, 3, 17, 3, 1, 40] {
            let (mut again, mut before) = (anew.draw(round), in_order[round as usize - 1].clone());
            assert_eq!((&again.indices, &again.labels), (&before.indices, &before.labels));
            assert_eq!(again.rng.next_u64(), before.rng.next_u64());
        }
    }
}

#[test]
fn epochs_differ_and_labels_are_those_of_the_samples() {
    let mut sampler = sampler(50, 10, Order::Epochs);
    assert_ne!(indices(&mut sampler, 1..=5), indices(&mut sampler, 6..=10));
    let draw = sampler.draw(4);
    let expected: Vec<i64> = draw.indices.iter().map(|index| (index % 7) as i64).collect();
    assert_eq!(draw.labels, expected);
    let mut expected = Seed(1).stream("worker", 3, "batch", 4);
    assert_eq!(draw.rng.clone().next_u64(), expected.next_u64());
}

#[test]
fn with_replacement_a_batch_repeats_samples_and_stays_in_the_shard() {
    let mut sampler = sampler(10, 10, Order::Replacement);
    let drawn = indices(&mut sampler, 1..=200);
    assert!(drawn.iter().all(|index| index % 2 == 1 && *index < 20));
    assert!(drawn.chunks(10).any(|batch| batch.iter().collect::<BTreeSet<_>>().len() < 10));
    // 2,000 draws of 10 samples: 200 each, standard deviation 13.4.
    for index in (1..20).step_by(2) {
        let count = drawn.iter().filter(|&&drawn| drawn == index).count();
        assert!((130..270).contains(&count), "{index}: {count}");
    }
}

#[test]
fn batches_that_cannot_be_drawn_are_refused() {
    let deal = Iid::default().deal(&labels(20), 4, Seed(1)).unwrap();
    let refused = |batches: &[usize]| deal.samplers(&labels(20), batches, Seed(1)).map(|_| ()).unwrap_err();
    assert_eq!(refused(&[5, 5, 6, 5]), SamplerError::Large { worker: 2, batch: 6, shard: 5 });
    assert_eq!(refused(&[5, 0, 5, 5]), SamplerError::Empty { worker: 1 });
    let refused =
        |batches: &[usize]| Deal::Stream.samplers(&labels(20), batches, Seed(1)).map(|_| ()).unwrap_err();
    assert_eq!(refused(&[10, 11]), SamplerError::Global { batch: 21, samples: 20 });
    assert_eq!(refused(&[10, 0]), SamplerError::Empty { worker: 1 });
}

#[test]
fn the_shared_stream_is_cut_as_computed_directly() {
    let (labels, seed, batches) = (labels(103), Seed(9), [4, 1, 7]);
    let deal = SharedStream::default().deal(&labels, 3, seed).unwrap();
    let mut samplers = deal.samplers(&labels, &batches, seed).unwrap();
    let rounds = 103 / 12;
    for epoch in 0..3 {
        let mut order: Vec<usize> = (0..103).collect();
        order.shuffle(&mut seed.stream("data", 0, "epoch", epoch));
        for (place, global) in order.chunks_exact(12).enumerate() {
            let round = epoch * rounds + place as u64 + 1;
            let drawn: Vec<_> = samplers.iter_mut().map(|sampler| sampler.draw(round)).collect();
            let all: Vec<usize> = drawn.iter().flat_map(|draw| draw.indices.clone()).collect();
            assert_eq!(all, global);
            assert_eq!(drawn.iter().map(|draw| draw.indices.len()).collect::<Vec<_>>(), batches);
            let named: Vec<i64> = drawn[2].indices.iter().map(|&index| i64::from(labels[index])).collect();
            assert_eq!(drawn[2].labels, named);
        }
    }
    // Whatever the order of the calls, and for a sampler that starts in the middle.
    let mut anew = deal.samplers(&labels, &batches, seed).unwrap();
    for round in [20, 2, 20, 9, 8] {
        assert_eq!(anew[1].draw(round).indices, samplers[1].draw(round).indices);
    }
}

#[test]
fn a_task_with_its_own_noise_draws_random_numbers_alone() {
    let draw = NoiseSampler::new(2, Seed(5)).draw(8);
    assert!(draw.indices.is_empty() && draw.labels.is_empty());
    assert_eq!(draw.rng.clone().next_u64(), Seed(5).stream("worker", 2, "batch", 8).next_u64());
}
