//! Data sets in the registry: those built in, and folders of a user's own. A
//! sweep asks for the same data for every cell, so that what was read last is
//! kept.

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use super::{Card, ComponentError, Entry, Kind, Resolved, resolve};
use crate::{
    config::Named,
    data::{self, DataError, Dataset, IdxFolder, Source},
};

/// A data set as configured.
#[derive(Clone)]
pub enum Data {
    /// One that the program knows.
    BuiltIn(&'static dyn Source),
    /// A folder of IDX files.
    Folder(IdxFolder),
}

/// The data set that was read last, and what was asked for.
#[derive(Default)]
pub struct Shelf(Mutex<Option<(Request, Loaded)>>);

type Request = (Named, Vec<PathBuf>);
type Loaded = (Dataset, Named);

impl Shelf {
    /// The data set that `asked` resolved to, from the first of `roots` that holds it, and its name with all that is
    /// known now.
    ///
    /// # Errors
    /// [`DataError`].
    pub fn read(&self, asked: Resolved<Data>, roots: Vec<PathBuf>) -> Result<Loaded, DataError> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Resolved { component, named } = asked;
        let request = (named.clone(), roots);
        if let Some((before, loaded)) = &*last
            && *before == request
        {
            return Ok(loaded.clone());
        }
        // Two data sets at once would need twice the memory.
        *last = None;
        let loaded = match component {
            Data::BuiltIn(source) => (source.load(&request.1)?, named),
            Data::Folder(mut folder) => (folder.load(&request.1)?, resolve::in_full(&folder)),
        };
        Ok(last.insert((request, loaded)).1.clone())
    }
}

/// The data sets that may be named.
pub(super) fn kind() -> Kind<Data> {
    let mut kind = Kind::new("data set");
    kind.entries.extend(data::built_in().map(built_in));
    kind.add(|folder: IdxFolder| folder.check().map(|()| Data::Folder(folder)));
    kind
}

fn built_in(source: &'static dyn Source) -> Entry<Data> {
    let make = move |_: &Kind<Data>, named: &Named, _| match named.parameters.keys().next() {
        None => Ok(Resolved { component: Data::BuiltIn(source), named: named.clone() }),
        Some(key) => {
            Err(ComponentError::whole(format!("`{}` has no parameters; `{key}` is given", named.name)))
        }
    };
    Entry { card: Card::of_dataset(&source.about()), make: std::sync::Arc::new(make) }
}
