//! The contract as C: header, conversion and type information, made by wit-bindgen from the WIT inside the project.

use std::path::Path;

use wit_bindgen_core::{Files, wit_parser::Resolve};

use crate::cli::{
    CommandError,
    plugin_author::{project::Role, usage},
};

/// Name of the files and beginning of the names in them, the same for every role.
const NAME: &str = "contract";

/// Files with their content, for a role of the contract in the folder `wit`.
pub(super) fn of(wit: &Path, role: Role) -> Result<Vec<(String, Vec<u8>)>, CommandError> {
    let failed = |error| usage(format!("{}: {error:#}", wit.display()));
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(wit).map_err(failed)?;
    let world = resolve.select_world(&[package], Some(role.world())).map_err(failed)?;
    let mut files = Files::default();
    let options = wit_bindgen_c::Opts { rename_world: Some(NAME.to_owned()), ..wit_bindgen_c::Opts::default() };
    options.build().generate(&mut resolve, world, &mut files).map_err(failed)?;
    Ok(files.iter().map(|(name, content)| (name.to_owned(), content.to_vec())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_has_its_functions() {
        let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit/v0.1");
        for (role, function) in [(Role::Handler, "exports_qkdn_manager_handler_handle("), (Role::Policy, "_on_time(")] {
            let files = of(&wit, role).unwrap();
            let named = |name: &str| files.iter().find(|file| file.0 == name).map(|file| file.1.as_slice());
            let header = String::from_utf8_lossy(named("contract.h").unwrap());
            assert!(header.contains(function), "{header}");
            assert!(named("contract.c").is_some() && named("contract_component_type.o").is_some());
        }
    }
}
