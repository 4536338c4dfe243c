# The first process of the node's namespaces: it makes the mounts, says that it
# is ready, and reaps what is orphaned until it is killed, and everything with it.
set -eu
folder=$1
mount --make-rshared /
# What kubelet, containerd and the CNI plugins keep in fixed places.
for place in /run /var/lib /var/log; do
  mount -t tmpfs -o mode=755 tmpfs "$place"
done
mkdir -p /run/lock
# kubelet sets these, and they belong to the machine.
protect() {
  echo "$2" > "$folder/$(basename "$1")"
  mount --bind "$folder/$(basename "$1")" "/proc/sys/$1"
}
protect vm/overcommit_memory 1
protect kernel/panic 10
protect kernel/panic_on_oops 1
# These belong to the network namespace.
ip link set lo up
echo 1 > /proc/sys/net/ipv4/ip_forward
if [ -e /proc/sys/net/bridge/bridge-nf-call-iptables ]; then
  echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables
fi
echo ready
sleep infinity &
while :; do wait || true; done
