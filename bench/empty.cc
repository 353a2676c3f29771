// A program that does nothing: the least that the start of a program can cost.
int main() { return 0; }
