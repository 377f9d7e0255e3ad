//! What the program is called in hints and usages: as it was started, for a crate of one's own has a program of its own,
//! and a hint is to be typed. Within a library nothing was started, and it is `phalanx`.

use std::{env, path::Path, sync::OnceLock};

static NAME: OnceLock<String> = OnceLock::new();

/// Takes the name that the process was started by, as clap does.
pub fn as_started() {
    let started = env::args_os().next();
    let name = started.as_deref().map(Path::new).and_then(Path::file_name).and_then(|name| name.to_str());
    if let Some(name) = name {
        NAME.get_or_init(|| name.to_owned());
    }
}

/// The program's name.
pub fn name() -> &'static str {
    NAME.get().map_or("phalanx", String::as_str)
}

/// The program with these arguments, as typed.
pub fn with(arguments: &str) -> String {
    format!("{} {arguments}", name())
}
