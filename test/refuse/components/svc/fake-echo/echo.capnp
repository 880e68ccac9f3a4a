# SPDX-License-Identifier: MIT OR Apache-2.0
@0xa1b2c3d4e5f60718;
interface Echo {
  echo @0 (text :Text) -> (text :Text);
}
