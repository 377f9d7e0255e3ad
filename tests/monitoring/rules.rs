//! The alert rules by themselves: promtool on their files.

use std::process::Command;

use crate::{boards, daemons::installed};

fn promtool(arguments: &[&str]) {
    let done = Command::new("promtool").args(arguments).current_dir(boards::folder()).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "promtool {arguments:?}: {said}");
}

#[test]
fn the_rules_fire_when_they_should() {
    if !installed(&["promtool"]) {
        return;
    }
    promtool(&["check", "config", "prometheus.yml"]);
    promtool(&["check", "rules", "alerts.yml"]);
    promtool(&["test", "rules", "alerts_test.yml"]);
}
