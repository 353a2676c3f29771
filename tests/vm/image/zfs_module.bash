# Provides the kernel, and zfs.ko and spl.ko for it. Does the same as dkms, but without dkms.
# shellcheck shell=bash
# shellcheck disable=SC2154 # work, kernel, modules come from build

get_kernel() { unpack_packages apt "$work/kernel" "linux-image-$kernel"; }
kernel_modules() {
  if [[ -d $work/kernel/usr/lib/modules ]]; then echo "$work/kernel/usr/lib/modules/$kernel"; else echo "$work/kernel/lib/modules/$kernel"; fi
}

# Compiles in a root where packages are only unpacked, so that none of their scripts runs.
compile_zfs_modules() {
  local builder=$work/builder folder
  debian_root "$builder" --variant=extract --include="base-files,bash,dash,coreutils,sed,grep,gawk,findutils,diffutils" \
    --include="gzip,xz-utils,tar,file,kmod,make,patch,gcc,libc6-dev,binutils,perl-base" \
    --include="linux-image-$kernel,linux-headers-$kernel,zfs-dkms"
  # Make the links that those scripts would have made.
  for folder in bin sbin lib lib64; do
    [[ -e $builder/$folder ]] || ln -s "usr/$folder" "$builder/$folder"
  done
  ln -sf gawk "$builder/usr/bin/awk"
  [[ -e $builder/usr/bin/sh ]] || ln -s dash "$builder/usr/bin/sh"
  # Hide debugging information from make only, which saves a third of the time. The code still sees autoconf.h as it is.
  sed -i '/^CONFIG_DEBUG_INFO/d' "$builder/usr/src/linux-headers-$kernel/include/config/auto.conf"
  env -u TMPDIR chroot "$builder" /bin/sh -es "$kernel" <<'SH'
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
cp -a /usr/src/zfs-* /build
cd /build
./configure --disable-dependency-tracking --prefix=/usr --with-config=kernel \
  --with-linux="$(readlink -f "/lib/modules/$1/source")" --with-linux-obj="$(readlink -f "/lib/modules/$1/build")"
make -s -j"$(nproc)"
mkdir /modules
find module -name '*.ko' -exec cp {} /modules/ \;
SH
  strip --strip-debug "$builder"/modules/*.ko
  tar --directory "$builder/modules" --zstd -cf "$modules.new" .
  mv "$modules.new" "$modules"
  rm -rf "$builder"
}

# Installs only the modules for disks, networks and containers, so that udev loads less and the image is small.
install_modules() {
  local from to=$root/usr/lib/modules/$kernel folder
  from=$(kernel_modules)
  mkdir -p "$to/kernel/drivers" "$to/extra"
  cp -a "$from"/modules.{builtin,builtin.modinfo,order} "$to/"
  for folder in net crypto lib block mm fs drivers/{block,net,virtio,char}; do
    [[ ! -d $from/kernel/$folder ]] || cp -a "$from/kernel/$folder" "$to/kernel/$(dirname "$folder")/"
  done
  # Decompress here, because the emulated processor would do it slowly at each load.
  find "$to/kernel" -name '*.ko.xz' -print0 | xargs -0r -P "$(nproc)" -n 50 xz --decompress
  tar --directory "$to/extra" --zstd -xf "$modules"
  chroot "$root" depmod "$kernel"
}
