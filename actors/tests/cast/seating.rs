//! Groups that cannot be seated.

use phalanx_actors::{Place, Policy, Seating, Workers, messages::Seat};

use crate::stage::*;

#[test]
fn a_seat_is_taken_once() {
    let played = play(four_honest(settings(Policy::Fail)).seat(3..5, Workers(members(3..5))));
    assert_eq!(played.error(), "cannot seat workers 3..5: worker 3 is seated already");
}

#[test]
fn a_group_has_one_member_for_each_id() {
    let played = play(cast(settings(Policy::Fail)).seat(0..3, Workers(members(0..2))));
    assert_eq!(played.error(), "cannot seat workers 0..3: 2 members for 3 workers");
}

/// Refuses in the words of its place.
struct Talkative;

impl Seating for Talkative {
    fn seat(self: Box<Self>, place: &Place) -> Result<Vec<Seat>, String> {
        Err(format!("{place:?}"))
    }
}

#[test]
fn casts_and_places_can_be_shown() {
    let cast = four_honest(settings(Policy::Fail)).seat(4..6, Talkative);
    let shown = format!("{cast:?}");
    assert!(
        shown.starts_with("Cast { settings: Settings {") && shown.ends_with("seated: [0..4, 4..6], .. }"),
        "{shown}"
    );
    let error = play(cast).error();
    assert_eq!(
        error,
        "cannot seat workers 4..6: Place { ids: 4..6, seed: Seed(3), block: 1, after: None, .. }"
    );
}

struct Elsewhere;

impl Seating for Elsewhere {
    fn seat(self: Box<Self>, place: &Place) -> Result<Vec<Seat>, String> {
        let mut seats = Box::new(Workers(members(place.ids.clone()))).seat(place)?;
        seats[0].ids = 12..13;
        Ok(seats)
    }
}

#[test]
fn a_group_sits_where_it_should() {
    let played = play(cast(settings(Policy::Fail)).seat(2..3, Elsewhere));
    assert_eq!(played.error(), "cannot seat workers 2..3: its seats have the ids [12]");
}
