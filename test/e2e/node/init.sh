# The first process of the node's namespaces. It makes the mounts, prints ready, and reaps
# orphaned processes. When it is killed, all processes of the namespaces end.
set -eu
folder=$1
mount --make-rshared /
# kubelet, containerd and the CNI plugins use these fixed paths.
for place in /run /var/lib /var/log; do
  mount -t tmpfs -o mode=755 tmpfs "$place"
done
mkdir -p /run/lock
# kubelet sets these, but they belong to the machine.
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
