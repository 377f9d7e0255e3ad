//! An attack on its own, outside of a run: for matrices in files and for searches.

use super::{Attack, AttackError, Probe, Scene};
use crate::{
    Batch, Size, Vector,
    aggregation::{Defence, RuleError},
    random::Seed,
};

/// What the attack sends in the first round, in which the attackers have the ids behind the honest ones. The last
/// aggregate is zero, and random numbers are those of a run with this seed. `own` is what the attackers computed by
/// the honest protocol.
///
/// # Errors
/// [`AttackError`].
pub fn first_round(
    attack: &mut dyn Attack,
    defence: &Defence,
    honest: &[Vector],
    own: Option<&[Vector]>,
    size: Size,
    seed: Seed,
) -> Result<Vec<Vector>, AttackError> {
    let ids: Vec<usize> = (0..size.m).collect();
    let (honest_ids, members) = ids.split_at(honest.len().min(size.m));
    let batch = Batch::new(honest).map_err(RuleError::from)?;
    let zero = honest[0].zeros_like();
    let rng = seed.stream("rule", 0, "aggregate", 1);
    let probe = Probe { defence, rng, f: size.f, honest, honest_ids };
    let scene = Scene { round: 1, size, honest: &batch, last_aggregate: &zero, shape: &zero, probe: &probe };
    let view = scene.view(attack.knowledge(), members, own, seed.stream("attack", 0, "forge", 1));
    attack.forge(&view)
}
